"""Pure: numbers, instants and spans as people read them: units in the text, three figures at most."""

from datetime import datetime
from math import isinf
from typing import Final
from zoneinfo import ZoneInfo

NONE: Final = "n/a"
# A day within the years 1 to 9999: in every zone they are instants.
_FIRST_MS: Final = -62_135_510_400_000
_LAST_MS: Final = 253_402_214_399_000
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def span_text(seconds: float | None) -> str:
    """`850 ms`, `12 s`, `15 min`, `2.5 h`, `3 d`; `n/a` when nobody knows, `never` for what does not end."""
    if seconds is None:
        return NONE
    if isinf(seconds):
        return "never"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    for unit_s, unit in _UNITS:
        if seconds >= 1.5 * unit_s:
            number = seconds / unit_s
            return f"{number:.1f} {unit}" if number < 10 and unit != "min" else f"{number:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def ago_text(at_ms: int | None, now_ms: int) -> str:
    """`12 s ago`; `never` when it never was."""
    if at_ms is None:
        return "never"
    seconds = (now_ms - at_ms) // 1000
    if seconds < 10:  # no tenths: nobody looks that closely
        return f"{seconds} s ago" if seconds > 0 else "now"
    return f"{span_text(seconds)} ago"


def clock_text(at_ms: int, zone: ZoneInfo) -> str:
    """`28 Nov 14:05:12` in that zone. What lies outside the years 1 to 9999 is told as their end."""
    at_ms = min(max(at_ms, _FIRST_MS), _LAST_MS)
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%-d %b %H:%M:%S")


def number_text(value: float | None) -> str:
    """`1,234`, `12.3`, `0.12`; `n/a` when nobody knows."""
    if value is None:
        return NONE
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def share_text(value: float | None) -> str:
    """`52 %`; `n/a` when nobody knows. Near 0 and 100 it has a decimal, so that it is not rounded to either."""
    if value is None:
        return NONE
    percent = 100 * value
    is_near_an_end = 0 < percent < 1 or 99 < percent < 100
    return f"{percent:.1f} %" if is_near_an_end else f"{percent:.0f} %"
