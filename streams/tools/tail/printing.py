"""One record as one line: JSON for programs, or a line of a table for people, which holds no personal data."""

import json
import re
from typing import Any, Final

from schemas.headers import is_synthetic
from schemas.runtime import instants
from streams.output import without_controls
from streams.topics.decoding import Decoded, Plain
from streams.topics.masking import masked

HEAD: Final = ("appended at", "place", "key", "record")
_WIDTHS: Final = (20, 12, 20)
_CONTROLS: Final = re.compile(r"[\x7f-\x9f]")  # a terminal may obey them; JSON escapes only those below

# What a line of the table says of a record: fields without personal data, the telling ones first.
SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "Call": ("revision", "disposition", "result_label", "duration_s", "workflow_id", "sip_line"),
    "Answer": ("question_name", "state", "status", "revision", "workflow_id", "sip_line"),
    "CallAttempt": ("attempt_number", "disposition", "ring_type", "is_final", "workflow_id", "sip_line"),
    "WindowedOutcomes": ("calls", "answered", "attempts", "revision", "is_final", "window_start_at"),
    "QuarantinedRequest": ("reason", "path", "detail"),
    "DeadLetter": ("reason", "source_topic", "source_partition", "source_offset", "detail"),
    "OutcomeChange": ("call_id", "source_topic", "source_partition", "source_offset"),
}
ANY: Final = ("kind", "name", "status", "workflow_id", "sip_line", "event_id")


def json_line(decoded: Decoded, *, headers: bool, mask: bool) -> str:
    """The record as one JSON object, as `Decoded.as_json` has it."""
    if mask and decoded.value is not None:
        decoded = decoded._replace(value=masked(decoded.value, decoded.record))
    text = json.dumps(decoded.as_json(headers=headers), ensure_ascii=False)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def table_head(width: int | None) -> str:
    """The first line of the table. width: of the terminal, None for a pipe, where nothing is cut."""
    return _line(HEAD, width)


def table_line(decoded: Decoded, width: int | None) -> str:
    """The record as one line of the table."""
    stored = decoded.stored
    place = f"{stored.partition}@{stored.offset}"
    return _line((instants.text(stored.timestamp), place, decoded.key, _told(decoded)), width)


def _told(decoded: Decoded) -> str:
    if decoded.fault:
        return f"{decoded.code}: {decoded.fault}"
    if decoded.value is None:
        return "tombstone"
    pairs = [
        f"{name}={_text(decoded.value[name])}"
        for name in SHOWN.get(decoded.record, ANY)
        if _is_told(decoded.value, name)
    ]
    return " ".join([*["synthetic"] * is_synthetic(decoded.stored.headers), *pairs])


def _is_told(value: Plain, name: str) -> bool:
    return value.get(name) not in (None, "")


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _line(cells: tuple[str, ...], width: int | None) -> str:
    """Cells side by side; with a width each column has its own, and the last gets what is left."""
    clean = [without_controls(cell) for cell in cells]
    padded = [cell.ljust(size) for cell, size in zip(clean[:-1], _WIDTHS, strict=True)]
    if width is None:
        return "  ".join([*padded, clean[-1]]).rstrip()
    cut = [_cut(cell, size) for cell, size in zip(padded, _WIDTHS, strict=True)]
    return _cut("  ".join([*cut, clean[-1]]).rstrip(), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "~"
