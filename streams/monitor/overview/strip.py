"""The strip of the overview: both halves on one time axis, so that a dip in calls is told from a dip in counting."""

from dataclasses import dataclass
from typing import Final

from streams.monitor.lag.verdicts import LAG_SLO_S
from streams.monitor.overview.figures import HOUR_MS, Series, Values

SPAN_MS: Final = 6 * 3_600_000
NAMES: Final = ("received_per_s", "lag_seconds", "ner")
POINTS: Final = 360
STEPS_S: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)


@dataclass(frozen=True)
class StripValues:
    """The three series of NAMES, a value for each of `at_ms`. over_slo: the spans in which the worker was behind."""

    at_ms: list[int]
    step_s: int
    values: dict[str, Values]

    @property
    def over_slo(self) -> list[tuple[int, int]]:
        """[from, to) in epoch ms for each time that the lag was over LAG_SLO_S."""
        spans: list[tuple[int, int]] = []
        for at_ms, lag_s in zip(self.at_ms, self.values["lag_seconds"], strict=True):
            if lag_s is not None and lag_s > LAG_SLO_S:
                begin = spans.pop()[0] if spans and spans[-1][1] == at_ms else at_ms
                spans.append((begin, at_ms + self.step_s * 1000))
        return spans


def strip(series: Series, from_ms: int, to_ms: int) -> StripValues:
    """Six hours up to the end of the range, or the whole range where that is longer.

    What lies before the first reading is left out, down to the last hour.
    """
    from_ms = min(from_ms, to_ms - SPAN_MS)
    step_s = next((step for step in STEPS_S if to_ms - from_ms <= POINTS * step * 1000), STEPS_S[-1])
    begin = from_ms // (1000 * step_s) * step_s * 1000
    found = {name: list(series(name, begin, to_ms, step_s)) for name in NAMES}
    at_ms = [at for at, _ in found["lag_seconds"]]
    values = {name: [value for _, value in points] for name, points in found.items()}
    first = min(_unknown(values), max(0, len(at_ms) - HOUR_MS // (1000 * step_s)))
    return StripValues(at_ms[first:], step_s, {name: known[first:] for name, known in values.items()})


def _unknown(values: dict[str, Values]) -> int:
    """How many steps at the beginning nobody looked at."""
    rows = enumerate(zip(*values.values(), strict=True))
    return next((place for place, row in rows if any(value is not None for value in row)), 0)
