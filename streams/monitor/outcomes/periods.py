"""Pure: the length of windows, and windows of the days of a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.monitor.errors import BadRequestError

DAY_S = 86_400
MAX_WINDOW_S = 31 * DAY_S
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
EPOCH = date(1970, 1, 1)
MAX_ZONE_CHARS = 64

Bounds = tuple[int, int]


def window_seconds(text: str, pane_s: int) -> int:
    """`5m`, `1h`, `1d`, `300s` or `300` in seconds.

    Raises: BadRequestError unless it is a multiple of the pane and at most 31 days.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS_S else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise BadRequestError("window must look like 5m, 15m, 1h, 1d or 300s, or be all")
    seconds = int(number) * UNITS_S[unit]
    if seconds == 0 or seconds % pane_s or seconds > MAX_WINDOW_S:
        raise BadRequestError(f"window must be a multiple of the pane, {pane_s} s, and at most {MAX_WINDOW_S} s")
    return seconds


def zone_of(text: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises: BadRequestError."""
    try:
        return ZoneInfo(text[:MAX_ZONE_CHARS])
    except (ValueError, OSError, LookupError) as error:
        raise BadRequestError("tz is not the IANA name of a time zone such as Asia/Jakarta") from error


@dataclass(frozen=True)
class LocalDays:
    """Windows of whole days of a time zone: 23 or 25 hours long when its clocks change."""

    days: int
    zone: ZoneInfo

    @classmethod
    def of(cls, window_s: int, pane_s: int, zone: ZoneInfo) -> LocalDays:
        """Raises: BadRequestError for windows that are no days, and for a zone whose days begin within a pane."""
        if window_s % DAY_S:
            raise BadRequestError("tz is for windows of a day and more, such as window=1d")
        offset = datetime.now(UTC).astimezone(zone).utcoffset() or timedelta()
        if int(offset.total_seconds()) % pane_s:
            raise BadRequestError(f"the days of this zone begin within a pane of {pane_s} s")
        return cls(window_s // DAY_S, zone)

    def bounds(self, at_ms: int) -> Bounds:
        """The window around an instant."""
        day = datetime.fromtimestamp(at_ms / 1000, self.zone).date()
        number = (day - EPOCH).days
        return _day_bounds(number - number % self.days, self.days, self.zone)


@lru_cache(maxsize=4096)
def _day_bounds(first: int, days: int, zone: ZoneInfo) -> Bounds:
    start, end = (
        datetime.combine(EPOCH + timedelta(days=number), time(), zone).timestamp() for number in (first, first + days)
    )
    return int(start) * 1000, int(end) * 1000
