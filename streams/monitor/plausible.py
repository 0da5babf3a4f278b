"""Pure: is an outcome record one that a worker can have sent? Anybody with the right to write may send another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import WindowedOutcomes

DAY_MS = 86_400_000
FIRST_MS = 1_420_070_400_000  # 2015-01-01: the worker reads no time before it
MAX_AHEAD_MS = DAY_MS
"""Event time is never after receipt, but for a tolerance and for clocks."""

MAX_COUNT = 2**40
MAX_VALUE_CHARS = 65_536
MAX_WORD_CHARS = 10_000
MAX_WORDS = 20_000

_SIGNED = {"duration_s_sum", "ring_time_s_sum", "talk_round_sum", "answered_duration_s_sum"}
"""Sums of what the provider sent, who may send anything."""


def fault_of(record: WindowedOutcomes, dimension: str, appended_at: int) -> str | None:
    """What no worker would send, in words that quote nothing of the record; None when it is plausible."""
    length = record.window_end_at - record.window_start_at
    if record.dimension != dimension:
        return "dimension: not this topic's"
    if len(record.value) > MAX_VALUE_CHARS:
        return f"value: over {MAX_VALUE_CHARS} characters"
    if not FIRST_MS <= record.window_start_at <= appended_at + MAX_AHEAD_MS:
        return "window_start_at: before 2015, or over a day after the record"
    if not 0 < length <= DAY_MS or record.window_start_at % length:
        return "window_end_at: no window starts and ends so"
    return next(_faults("", record.to_datum()), None)


def _faults(path: str, datum: Mapping[str, Any]) -> Iterator[str]:
    if len(datum) > MAX_WORDS:
        yield f"{path}: over {MAX_WORDS} words"
        return
    for name, value in datum.items():
        if path and len(name) > MAX_WORD_CHARS:
            yield f"{path}: a word of over {MAX_WORD_CHARS} characters"
            return
        inner = path or name
        if isinstance(value, Mapping):
            yield from _faults(inner, value)
        elif isinstance(value, list):
            yield from (f"{inner}: a count no worker sends" for count in value if not _is_count(count))
        elif isinstance(value, int) and name not in _SIGNED and not name.endswith("_at") and not _is_count(value):
            yield f"{inner}: a count no worker sends"


def _is_count(value: int) -> bool:
    return 0 <= value <= MAX_COUNT
