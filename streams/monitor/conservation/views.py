"""The answer of /api/conservation. null: not known, or not looked at; never 0."""

from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.conservation.conservation import Conservation
from streams.monitor.conservation.ledger import Difference
from streams.monitor.history.names import CONSERVATION
from streams.monitor.history.views import kept_view

HOUR_S: Final = 3600
MEANINGS: Final = {
    "requests": "requests with an outcome = requests answered",
    "stored": "callbacks called stored = records in Kafka",
    "handled": "records in Kafka = records handled by the worker",
    "counted": "new calls = calls in windows and late calls",
}


def conservation_view(conservation: Conservation, from_ms: int, to_ms: int, now_ms: int) -> dict[str, Any]:
    """{"as_of", "state", "difference", "worst_hour": {"at", "difference"}, "steps": [...]}.

    state: `balanced`, `unbalanced`, or `not_known` when no step is known now. from_ms, to_ms: where the worst hour is
    looked for.
    """
    differences = conservation.differences(now_ms)
    known = [found.value for found in differences if found.value is not None]
    difference = sum(map(abs, known)) if known else None
    return {
        "as_of": None if conservation.as_of_ms is None else instants.text(conservation.as_of_ms),
        "state": "not_known" if difference is None else "unbalanced" if difference else "balanced",
        "difference": difference,
        "worst_hour": _worst_hour(conservation, from_ms, to_ms),
        "steps": [_step(found) for found in differences],
        **kept_view(conservation.history),
    }


def _step(found: Difference) -> dict[str, Any]:
    is_known = found.value is not None
    return {
        "step": found.step,
        "equal": MEANINGS[found.step],
        "upstream": found.term.upstream if is_known else None,
        "downstream": found.term.downstream if is_known else None,
        "waiting": found.term.waiting if is_known else None,
        "difference": found.value,
        "is_exact": found.is_exact,
        "since": None if found.since_ms is None else instants.text(found.since_ms),
        "why": found.why,
        "parts": dict(found.term.parts),
    }


def _worst_hour(conservation: Conservation, from_ms: int, to_ms: int) -> dict[str, Any] | None:
    """The hour with the highest difference; None when none was known."""
    hours = conservation.history.series(CONSERVATION, from_ms, to_ms, HOUR_S)
    known = [(value, at_ms) for at_ms, value in hours if value is not None]
    if not known:
        return None
    value, at_ms = max(known)
    return {"at": instants.text(at_ms), "difference": round(value)}
