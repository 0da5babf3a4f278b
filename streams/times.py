"""The provider's zone-less times, read in the account's time zone. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

# A call cannot end after its callback was received; more than clocks may differ is a wrong clock or time zone.
FUTURE_TOLERANCE_MS: Final = 5 * 60 * 1000


class EventTime(NamedTuple):
    """When a call happened, as far as we can trust it. `fault`: None, "unreadable" or "future"."""

    at_ms: int
    fault: str | None

    @property
    def is_trusted(self) -> bool:
        """True when the provider's own time is used."""
        return self.fault is None


@lru_cache(maxsize=8192)
def epoch_ms(text: str | None, zone: ZoneInfo) -> int | None:
    """UTC epoch ms of `YYYY-MM-DD HH:MM:SS` in `zone`; None when it cannot be read or lies before 1970.

    A time that occurs twice when clocks go back is taken as its first occurrence; one that is skipped when clocks go
    forward is taken by the offset before. Text with an offset of its own is believed.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        at_ms = int(moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return at_ms if at_ms >= 0 else None


def event_time(call_end_time: str | None, received_at: int, zone: ZoneInfo) -> EventTime:
    """The event time of a call: its end, or the time of receipt when the end is unreadable or lies in the future."""
    ended_at = epoch_ms(call_end_time, zone)
    if ended_at is None:
        return EventTime(received_at, "unreadable")
    if ended_at > received_at + FUTURE_TOLERANCE_MS:
        return EventTime(received_at, "future")
    return EventTime(ended_at, None)
