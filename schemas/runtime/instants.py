"""Instants as text, one form for every page, API, tool and option: ISO 8601 in UTC, whole seconds."""

from datetime import UTC, datetime
from typing import Final

FORM: Final = "an ISO 8601 instant such as 2024-03-11T13:25:00Z"

_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01
_LAST_MS: Final = 253_402_300_799_000  # 9999-12-31


def text(at_ms: int) -> str:
    """UTC epoch ms as `2024-03-11T13:25:00Z`. Fractions of a second are cut off. Years are limited to 1 to 9999."""
    at_ms = min(max(at_ms, _FIRST_MS), _LAST_MS)
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def parse(value: str) -> int:
    """ISO 8601 to UTC epoch ms; without an offset it is UTC. Raises: ValueError naming the form."""
    try:
        moment = datetime.fromisoformat(value.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not {FORM}") from error
