"""Which records a reader asked for: by workflow, SIP line or call, whatever the record. Pure."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from schemas import codec
from streams.topics.decoding import Decoded, Plain

WORKFLOW: Final = "workflow"
SIP_LINE: Final = "sip_line"
CALL: Final = "call"
_FIELDS: Final = {WORKFLOW: ("workflow_id",), SIP_LINE: ("sip_line",), CALL: ("call_id", "final_call_id")}
_WINDOW: Final = "WindowedOutcomes"
_CHANGE: Final = "OutcomeChange"


class Wanted(NamedTuple):
    """What a record must name; None: anything."""

    workflow: str | None = None
    sip_line: str | None = None
    call: str | None = None

    def impossible(self, record: str) -> list[str]:
        """What is asked of a record that has no such field, as its schema says."""
        return [name for name, value in self._asdict().items() if value is not None and not has(record, name)]

    def matches(self, decoded: Decoded) -> bool:
        """True for a record that names all of it. One that cannot be read may be the one, so it matches too."""
        if decoded.fault:
            return True
        value = decoded.value or {}
        return all(
            wanted is None or wanted in names(value, what) or (what == CALL and decoded.key == wanted)
            for what, wanted in self._asdict().items()
        )


@cache
def has(record: str, what: str) -> bool:
    """Whether records of this kind name a workflow, a SIP line or a call."""
    if record in (_WINDOW, _CHANGE):
        return what != CALL or record == _CHANGE
    fields = {field["name"] for field in json.loads(codec.schema_text(record))["fields"]}
    return not fields.isdisjoint(_FIELDS[what]) or (what == CALL and "details" in fields)


def names(value: Plain, what: str) -> set[str]:
    """Every workflow, SIP line or call that a record names at its top, in its details, or in a window's change."""
    found = {part[field] for part in _parts(value) for field in _FIELDS[what] if isinstance(part.get(field), str)}
    if value.get("dimension") == what:
        found.add(str(value.get("value")))
    return found


def _parts(value: Plain) -> Iterator[dict[str, Any]]:
    yield value
    details = value.get("details")
    for part in [*(details if isinstance(details, list) else []), value.get("removed"), value.get("added")]:
        if isinstance(part, dict):
            yield part
