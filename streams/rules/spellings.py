"""Values of another type than documented, read where the reading is plain. Pure.

A Callback keeps such a value in `extra`, as it was sent, and its typed field is empty. A call keeps its duration when a
sender writes "30" or 30.0, and a dial its id when it is a number. A value without a plain reading stays empty: true, a
list, an instant that is no text.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, get_type_hints

from msgspec import structs

from schemas.records.record import Record
from schemas.records.webhooks import Callback, CallDetail, QuestionAnswer, RedialCall

_NUMBER: Final = re.compile(r'"?\s*([+-]?[0-9]+)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*"?')
_INTEGER: Final = re.compile(r"-?[0-9]+")
_INT64: Final = range(-(2**63), 2**63)
_LONGEST: Final = 40  # characters of a number that is one of seconds, turns or dials
_INSTANTS: Final = ("_time", "_at")  # of text; a number there could be seconds or milliseconds, in whatever zone
_SPELT: Final = {"case_id": "CaseID"}  # of the fields read here, the one with two names
_OURS: Final = "signature_key_id"  # a sender may have a field of that name, and it is not this one

R = TypeVar("R", bound=Record)


def as_documented(record: R) -> R:
    """The record, with the empty fields filled whose value in `extra` can be read plainly. `extra` stays as it is."""
    extra: dict[str, str] = getattr(record, "extra")  # noqa: B009  # every record read here has it
    found = {
        name: value
        for name, spelling, read in _FIELDS[type(record)]
        if spelling in extra and getattr(record, name) is None and (value := read(extra[spelling])) is not None
    }
    return structs.replace(record, **found) if found else record


def detail_as_documented(detail: CallDetail) -> CallDetail:
    """The same for a detail with its questions and redials."""
    questions, redials = detail.question_answer or [], detail.redial_calls or []
    if detail.extra:
        detail = as_documented(detail)
    parts: list[QuestionAnswer | RedialCall] = [*questions, *redials]
    for part in parts:
        if part.extra:
            return structs.replace(
                detail,
                question_answer=detail.question_answer and [as_documented(question) for question in questions],
                redial_calls=detail.redial_calls and [as_documented(redial) for redial in redials],
            )
    return detail


def whole(text: str) -> int | None:
    """The integer nearest to a number, written as JSON or as text in it; None for anything else."""
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    number = float("".join(match.groups())) if match[2] else int(match[1])
    return round(number) if _INT64[0] <= number <= _INT64[-1] else None


def _digits(text: str) -> str | None:
    """The digits of an integer; None for anything else."""
    return text if _INTEGER.fullmatch(text) else None


def _fields(record: type[Record]) -> list[tuple[str, str, Callable[[str], Any]]]:
    readers = {int | None: whole, str | None: _digits}
    return [
        (name, _SPELT.get(name, name), readers[kind])
        for name, kind in get_type_hints(record).items()
        if kind in readers and name != _OURS and not (kind == str | None and name.endswith(_INSTANTS))
    ]


_FIELDS: Final[dict[type[Record], list[tuple[str, str, Callable[[str], Any]]]]] = {
    record: _fields(record) for record in (Callback, CallDetail, QuestionAnswer, RedialCall)
}
