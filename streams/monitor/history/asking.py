"""Pure: the parameters of a request for a series: name, from, to, step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.monitor.errors import BadParameterError
from streams.monitor.history.names import SERIES
from streams.monitor.history.spans import FINE_S
from streams.monitor.outcomes.parameters import instant_of
from streams.monitor.outcomes.periods import DAY_S, UNITS_S

SERIES_PARAMETERS: Final = frozenset({"name", "from", "to", "step"})
LAG_PARAMETERS: Final = frozenset({"group", "topic", "from", "to", "step"})
# A day at the finest step, and some.
MAX_POINTS: Final = 10_000
# Of an answer whose step nobody chose: more than a chart has pixels is of no use.
POINTS: Final = 720
STEPS_S: Final = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, DAY_S)
DEFAULT_S: Final = DAY_S
MAX_SPAN_MS: Final = 400 * DAY_S * 1000
MAX_DIGITS: Final = 7
MAX_NAMED: Final = 100


@dataclass(frozen=True)
class Span:
    """[from_ms, to_ms) in steps."""

    from_ms: int
    to_ms: int
    step_s: int


def span_of(given: Mapping[str, str], now_ms: int) -> Span:
    """The span that from, to and step ask for; the last day without them. Raises: BadParameterError."""
    to_ms = min(instant_of("to", given["to"]), now_ms) if "to" in given else now_ms
    from_ms = instant_of("from", given["from"]) if "from" in given else to_ms - DEFAULT_S * 1000
    if from_ms >= to_ms:
        raise BadParameterError("from must be before to, and before now")
    if to_ms - from_ms > MAX_SPAN_MS:
        raise BadParameterError("a span is 400 days at most")
    length_s = (to_ms - from_ms) / 1000
    step_s = _step(given["step"]) if "step" in given else next((s for s in STEPS_S if length_s / s <= POINTS), DAY_S)
    if length_s / step_s > MAX_POINTS:
        raise BadParameterError(f"step must be at least {int(length_s / MAX_POINTS) + 1} s for this span")
    return Span(from_ms, to_ms, step_s)


def known_name(given: Mapping[str, str], names: list[str]) -> str:
    """The name asked for. Raises: BadParameterError naming those that there are."""
    known = {*names, *(kind.name for kind in SERIES if kind.alone)}
    if given["name"] not in known:
        raise BadParameterError(f"no such series; known are {', '.join(sorted(known)[:MAX_NAMED])}")
    return given["name"]


def _step(text: str) -> int:
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS_S else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
        raise BadParameterError("step must look like 10s, 1m, 1h or 1d")
    seconds = int(number) * UNITS_S[unit]
    if not 0 < seconds <= DAY_S or seconds % FINE_S:
        raise BadParameterError(f"step must be a multiple of {FINE_S} s, and at most a day")
    return seconds
