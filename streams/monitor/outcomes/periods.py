"""Pure: which windows a request is for: their length, their bounds, the days of a time zone."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo

from streams.monitor.errors import BadParameterError
from streams.rules.windows import window_start

DAY_S: Final = 86_400
MAX_WINDOW_S: Final = 31 * DAY_S
UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
EPOCH: Final = date(1970, 1, 1)
MAX_ZONE_CHARS: Final = 64

Bounds = tuple[int, int]


def window_seconds(text: str, pane_s: int) -> int:
    """`5m`, `1h`, `1d`, `300s` or `300` in seconds.

    Raises: BadParameterError unless it is a multiple of the pane and at most 31 days.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS_S else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise BadParameterError("window must look like 5m, 15m, 1h, 1d or 300s, or be all")
    seconds = int(number) * UNITS_S[unit]
    if seconds == 0 or seconds % pane_s or seconds > MAX_WINDOW_S:
        raise BadParameterError(f"window must be a multiple of the pane, {pane_s} s, and at most {MAX_WINDOW_S} s")
    return seconds


def zone_of(text: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises: BadParameterError."""
    try:
        return ZoneInfo(text[:MAX_ZONE_CHARS])
    except (ValueError, OSError, LookupError) as error:
        raise BadParameterError("tz is not the IANA name of a time zone such as Asia/Jakarta") from error


@dataclass(frozen=True)
class LocalDays:
    """Windows of whole days of a time zone: 23 or 25 hours long when its clocks change."""

    days: int
    zone: ZoneInfo

    @classmethod
    def of(cls, window_s: int, pane_s: int, zone: ZoneInfo) -> Self:
        """Raises: BadParameterError for windows that are no days, and for a zone whose days begin within a pane."""
        if window_s % DAY_S:
            raise BadParameterError("tz is for windows of a day and more, such as window=1d")
        offset = datetime.now(UTC).astimezone(zone).utcoffset() or timedelta()
        if int(offset.total_seconds()) % pane_s:
            raise BadParameterError(f"the days of this zone begin within a pane of {pane_s} s")
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


@dataclass(frozen=True)
class WindowQuery:
    """Which windows: those that overlap [from_ms, to_ms), the newest `limit`.

    window_s: their length, aligned to the epoch; None for one window from from_ms to to_ms. days: aligned to those of a
    time zone instead. after: only windows that begin later.
    """

    window_s: int | None
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int | None = None
    days: LocalDays | None = None
    after: int | None = None

    def bounds(self, at_ms: int) -> Bounds:
        """The window that holds this instant."""
        if self.window_s is None:
            return self.from_ms or 0, self.to_ms or 0
        if self.days is not None:
            return self.days.bounds(at_ms)
        start = window_start(at_ms, self.window_s * 1000)
        return start, start + self.window_s * 1000

    def starts(self, panes: list[int]) -> list[int]:
        """The pane starts, of these sorted ones, whose window was requested. A window comes whole or not at all."""
        lower = self.bounds(self.from_ms)[0] if self.from_ms is not None else None
        upper = self.bounds(self.to_ms - 1)[1] if self.to_ms is not None else None
        chosen = panes[_left(panes, lower) : _left(panes, upper) if upper is not None else None]
        if self.limit is not None:
            windows = sorted({self.bounds(start)[0] for start in chosen})[-self.limit :]
            chosen = [start for start in chosen if windows and start >= windows[0]]
        if self.after is not None:
            chosen = chosen[bisect_left(chosen, self.bounds(self.after)[1]) :]
        return chosen


def _left(starts: list[int], at_ms: int | None) -> int:
    return 0 if at_ms is None else bisect_left(starts, at_ms)
