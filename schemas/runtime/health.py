"""The answers of /livez and /readyz, the same in every role. Pure."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

HEADERS: Final = {"Cache-Control": "no-store"}
_OK: Final = 200
_UNAVAILABLE: Final = 503


class HealthAnswer(NamedTuple):
    """body: what to send as JSON, with HEADERS."""

    body: dict[str, Any]
    status_code: int


def liveness(reasons: Sequence[str] = ()) -> HealthAnswer:
    """`{"status": "alive"}`; with reasons the process should be restarted."""
    if reasons:
        return HealthAnswer({"status": "not alive", "reasons": list(reasons)}, _UNAVAILABLE)
    return HealthAnswer({"status": "alive"}, _OK)


def readiness(reasons: Sequence[str], notes: Sequence[str] = ()) -> HealthAnswer:
    """`{"status": "ready" | "not ready", "reasons": [...], "notes": [...]}`.

    reasons: why the role cannot do its work now; none means ready. notes: what an operator should know anyway.
    """
    body = {"status": "not ready" if reasons else "ready", "reasons": list(reasons), "notes": list(notes)}
    return HealthAnswer(body, _UNAVAILABLE if reasons else _OK)
