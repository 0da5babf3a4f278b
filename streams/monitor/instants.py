"""Instants as the API writes and reads them."""

from datetime import UTC, datetime
from typing import Final

from streams.monitor.errors import BadRequestError

_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01
_LAST_MS: Final = 253_402_300_799_000  # 9999-12-31


def text(at_ms: int) -> str:
    """UTC epoch ms as `2024-03-11T13:25:00Z`; a fraction of a second is cut off, and so is what no calendar has."""
    at_ms = min(max(at_ms, _FIRST_MS), _LAST_MS)
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def parse(name: str, value: str) -> int:
    """ISO 8601 to UTC epoch ms; without an offset it is UTC.

    A `+` that nobody escaped reaches us as a space, so a space after the time is read as one.
    Raises: BadRequestError naming the parameter.
    """
    try:
        moment = datetime.fromisoformat(_with_plus(value.strip()))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"{name} is not an ISO 8601 instant such as 2024-03-11T13:25:00Z") from error


def _with_plus(value: str) -> str:
    day, separator, time = value.partition("T")
    return day + separator + time.replace(" ", "+")
