"""The provider's zone-less times, read in the account's time zone. Pure.

A time that no call can have had counts as none: a stand-in for "no time", or text without a time of day.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

# A call cannot end after its callback was received; a larger difference is a wrong clock or time zone.
FUTURE_TOLERANCE_MS: Final = 5 * 60 * 1000
FIRST_YEAR: Final = 2015  # before it lie the stand-ins: year 1, 1900, 1970, 2000
# No call lasts longer; an end that far before the call's own start is an unknown stand-in.
LONGEST_CALL_MS: Final = 366 * 24 * 3600 * 1000
_LONGEST_TEXT: Final = 64  # characters; a longer text is no time, and would only fill the cache

Source = Literal["provider", "unreadable", "implausible", "future"]


class EventTime(NamedTuple):
    """When a call happened, as far as we can trust it: by the provider, else its receipt, and why."""

    at_ms: int
    source: Source = "provider"

    @property
    def is_trusted(self) -> bool:
        """True when the provider's own time is used."""
        return self.source == "provider"


def epoch_ms(text: str | None, zone: ZoneInfo, known_by: int) -> int | None:
    """UTC epoch ms of `YYYY-MM-DD HH:MM:SS` in `zone`; None when it cannot be read or lies before 2015.

    A time that occurs twice when clocks go back is the later occurrence, if that is not after `known_by`, the instant
    by which it had passed. One that is skipped when clocks go forward is taken by the offset before. Text with an
    offset of its own is believed.
    """
    readings = _readings(text, zone) if text and len(text) <= _LONGEST_TEXT else None
    if readings is None:
        return None
    first, second = readings
    return second if second <= known_by else first


@lru_cache(maxsize=8192)
def _readings(text: str, zone: ZoneInfo) -> tuple[int, int] | None:
    """The first and the second occurrence of a local time, nearly always the same."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
        if moment.year < FIRST_YEAR or len(text) <= len("YYYY-MM-DD"):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        first, second = (_utc_ms(moment.replace(fold=fold)) for fold in (0, 1))
    except (ValueError, OverflowError):
        return None
    return first, max(first, second)


def _utc_ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def times_of(
    call_start_time: str | None, call_end_time: str | None, received_at: int, zone: ZoneInfo
) -> tuple[int | None, EventTime]:
    """When a call began and ended; the end is the receipt if it is unreadable, in the future or ages before the start.

    A start after the end is None: one of the two is wrong.
    """
    ended = event_time(call_end_time, received_at, zone)
    started_at = epoch_ms(call_start_time, zone, ended.at_ms)
    if started_at is not None and ended.at_ms + LONGEST_CALL_MS < started_at <= received_at:
        ended = EventTime(received_at, "implausible")
    if started_at is not None and started_at > ended.at_ms:
        started_at = None
    return started_at, ended


def event_time(call_end_time: str | None, received_at: int, zone: ZoneInfo) -> EventTime:
    """The end of a call by itself, or the time of receipt when the end is unreadable or lies in the future."""
    latest = received_at + FUTURE_TOLERANCE_MS
    ended_at = epoch_ms(call_end_time, zone, latest)
    if ended_at is None:
        return EventTime(received_at, "unreadable")
    if ended_at > latest:
        return EventTime(received_at, "future")
    return EventTime(ended_at)
