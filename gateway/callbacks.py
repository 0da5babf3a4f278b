"""Verified bytes to a Callback record and back to the provider's JSON. Pure; the provider's spellings stop here.

Two ways through one set of types: the fast path decodes straight into them; anything unexpected takes the slow path,
which keeps unknown fields as JSON text in `extra` and otherwise names every fault by its JSON path.
Source: AiRudder, "Notification of Call Completion in Workflow (Info Check)".
"""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import FieldInfo, fields

from gateway.errors import Fault, InvalidCallbackError
from schemas.records import Callback, CallDetail, QuestionAnswer, Record, RedialCall

KIND = "call-completion"
MAX_DEPTH = 64  # nesting that readers' recursive JSON parsers can take
MAX_FAULTS = 100

ABSENT: Any = None  # the default of a field that may be missing; JSON null does not fit its type and goes to `extra`
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Identifier = Annotated[str, Meta(min_length=1)]

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Question(Struct, forbid_unknown_fields=True):
    question_name: str
    answer: str = ABSENT
    answer_text: str = ABSENT
    status: str = ABSENT
    answer_text_slot: str = ABSENT
    var: str = ABSENT
    verification_results: str = ABSENT
    question_content: str = ABSENT
    question_type: str = ABSENT
    whether_answer: str = ABSENT


class _Redial(Struct, forbid_unknown_fields=True):
    call_id: str = ABSENT
    call_start_time: str = ABSENT
    ring_type: str = ABSENT
    ring_time: Integer = ABSENT
    hangup_type: str = ABSENT
    result_label: str = ABSENT
    callee_number: str = ABSENT
    caller_number: str = ABSENT


_PROVIDER_SPELLING = {
    "ner_slots": "NerSlots",
    "redial_calls": "redail_call",
    "event_label": "EventLabel",
    "case_id": "CaseID",
    "variables": "Variables",
}


class _Detail(Struct, kw_only=True, forbid_unknown_fields=True, rename=_PROVIDER_SPELLING):
    id: Integer
    callee: str
    result: str
    result_label: str
    duration: Integer
    hangup_type: str
    ring_type: str | None
    question_answer: list[_Question]
    ner_slots: dict[str, str] = ABSENT
    robot_hash: str
    call_id: Identifier
    call_times: Integer
    call_start_time: str
    call_end_time: str
    ring_time: Integer
    talk_round: Integer
    redial_calls: list[_Redial] = ABSENT
    intention_description: str = ABSENT
    event_label: dict[str, str] = ABSENT
    caller_number: str = ABSENT
    case_id: str
    variables: dict[str, str]


class _Delivery(Struct, forbid_unknown_fields=True):
    workflow_id: str
    workflow_name: str
    nodetask_id: str
    nodetask_name: str
    task_id: str
    task_name: str
    status: str
    created_at: str
    repeat_interval: Integer
    repeat_number: Integer
    robot_hash: str
    robot_method: str
    sip_line: str
    schedule_start_time: str
    schedule_end_time: str
    details: list[_Detail]


_RECORDS: dict[type[Struct], type[Record]] = {_Question: QuestionAnswer, _Redial: RedialCall, _Detail: CallDetail}
_MODELS: dict[Any, type[Struct]] = {list[model]: model for model in _RECORDS}  # type: ignore[valid-type]
_TYPES: tuple[type[Struct], ...] = (_Question, _Redial, _Detail, _Delivery)
_FIELDS = {model: fields(model) for model in _TYPES}
_fast_decoder = msgspec.json.Decoder(_Delivery)


def read_callback(
    body: bytes, *, event_id: str, received_at: int, signature_scheme: str, signature_key_id: str | None
) -> Callback:
    """The Callback in a verified body. `received_at` in epoch ms.

    Raises: InvalidCallbackError with every fault of the body.
    Repeat: safe; equal bytes and arguments give equal records.
    """
    try:
        values = _read_fast(body)
    except _UNREADABLE:
        values = _read_slowly(body)
    return Callback(
        event_id=event_id,
        received_at=received_at,
        kind=KIND,
        signature_scheme=signature_scheme,
        signature_key_id=signature_key_id,
        **values,
    )


def provider_json(callback: Callback) -> dict[str, Any]:
    """The provider's JSON, rebuilt from the record: equal, as JSON, to what was delivered."""
    return _rebuild(callback, _Delivery)


def _read_fast(body: bytes) -> dict[str, Any]:
    """The provider's part of a Callback. Raises msgspec's errors for whatever is not exactly as documented."""
    delivery = _fast_decoder.decode(body)
    values = {field.name: getattr(delivery, field.name) for field in _FIELDS[_Delivery]}
    values["details"] = msgspec.convert(delivery.details, list[CallDetail], from_attributes=True)
    return values


def _read_slowly(body: bytes) -> dict[str, Any]:
    """The same, keeping what is unknown. Raises InvalidCallbackError."""
    _require_json(body)
    reader = _Reader()
    values = reader.read_object(body, _Delivery, "")
    if reader.faults or values is None:
        raise InvalidCallbackError(reader.faults[:MAX_FAULTS])
    return values


def _require_json(body: bytes) -> None:
    """Raises InvalidCallbackError unless the body is JSON in UTF-8 with finite numbers, not nested too deep."""
    try:
        depth = _depth(msgspec.json.decode(body))
    except RecursionError:
        depth = MAX_DEPTH + 1
    except UnicodeDecodeError:
        raise InvalidCallbackError([Fault("$", "expected UTF-8")]) from None
    except msgspec.MsgspecError as error:
        raise InvalidCallbackError([Fault("$", f"expected JSON: {error}")]) from None
    if depth > MAX_DEPTH:
        raise InvalidCallbackError([Fault("$", f"nested deeper than {MAX_DEPTH} levels")])


def _depth(value: Any) -> int:
    """How deep objects and arrays nest; level by level, since recursion is what must not be trusted here."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


class _Reader:
    """Reads objects field by field, collecting the faults of all of them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def read_object(self, raw: bytes | Raw, model: type[Struct], path: str) -> dict[str, Any] | None:
        """Values by our field names, `extra` among them; None when it is not an object."""
        sent = self._decode(raw, dict[str, Raw], path)
        if sent is None:
            return None
        values: dict[str, Any] = {}
        extra: dict[str, str] = {}
        for field in _FIELDS[model]:
            if field.encode_name in sent:
                self._read_field(sent.pop(field.encode_name), field, _join(path, field.encode_name), values, extra)
            elif field.required:
                self.faults.append(Fault(_join(path, field.encode_name), "missing"))
        extra.update({name: _text(value) for name, value in sent.items()})
        return {**values, "extra": extra}

    def _read_field(self, raw: Raw, field: FieldInfo, path: str, values: dict[str, Any], extra: dict[str, str]) -> None:
        if not field.required and _text(raw) == "null":
            extra[field.encode_name] = "null"
        elif field.type in _MODELS:
            values[field.name] = self._read_list(raw, _MODELS[field.type], path)
        elif field.type == dict[str, str]:
            values[field.name], is_text_only = self._read_map(raw, path)
            if not is_text_only:
                extra[field.encode_name] = _text(raw)
        else:
            values[field.name] = self._decode(raw, field.type, path)

    def _read_list(self, raw: Raw, model: type[Struct], path: str) -> list[Record]:
        items = self._decode(raw, list[Raw], path) or []
        read = [self.read_object(item, model, f"{path}[{position}]") for position, item in enumerate(items)]
        return [] if self.faults else [_RECORDS[model](**values) for values in read if values is not None]

    def _read_map(self, raw: Raw, path: str) -> tuple[dict[str, str], bool]:
        """The map with text as it is and other values as JSON text; False when there were others."""
        sent: dict[str, Raw] = self._decode(raw, dict[str, Raw], path) or {}
        texts = {name: _text(value) for name, value in sent.items()}
        is_text = {name: text.startswith('"') for name, text in texts.items()}
        return {n: msgspec.json.decode(t) if is_text[n] else t for n, t in texts.items()}, all(is_text.values())

    def _decode(self, raw: bytes | Raw, kind: Any, path: str) -> Any:
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as error:
            self.faults.append(Fault(path or "$", _without_values(str(error))))
            return None


def _rebuild(record: Record, model: type[Struct]) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for field in _FIELDS[model]:
        value = getattr(record, field.name)
        if field.type in _MODELS and value is not None:
            value = [_rebuild(item, _MODELS[field.type]) for item in value]
        if field.required or value is not None:
            sent[field.encode_name] = value
    extra: dict[str, str] = getattr(record, "extra")  # noqa: B009  # every record with a model has it
    return {**sent, **{name: json.loads(text) for name, text in extra.items()}}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(raw: Raw) -> str:
    return bytes(raw).decode().strip()


def _without_values(message: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.x`" as "expected int, got str": it names types only."""
    return message.split(" - at ")[0].replace("`", "").replace("Expected", "expected")
