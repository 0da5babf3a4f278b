"""Are two proportions alike? Counts in, a z and a ratio out; many strata count as one question. Pure.

A line is compared with its peers within each workflow, and the differences are added up: Mantel and Haenszel's test
(1959). A line that serves harder workflows than others is so not blamed for the workflows. One stratum gives the
two-proportion z. `kpis.wilson` has the interval of one proportion.
"""

from collections.abc import Iterable
from math import copysign, erfc, inf, sqrt
from typing import Final, NamedTuple

CONTINUITY: Final = 0.5


class Stratum(NamedTuple):
    """Successes of n in one stratum: of the group that is judged, and of the control."""

    successes: int
    n: int
    control_successes: int
    control_n: int


class Comparison(NamedTuple):
    """A group against its control over all strata where both have samples.

    n, control_n: samples compared. observed: the group's successes; pooled, variance: their mean and variance if both
    were alike; expected: what the control's shares would have given it. All but n are sums over the strata.
    """

    n: int = 0
    control_n: int = 0
    observed: int = 0
    pooled: float = 0.0
    variance: float = 0.0
    expected: float = 0.0

    @property
    def z(self) -> float:
        """How many standard deviations the group is above its control, below 0 when it is worse; 0 for no samples.

        Counts are whole: half of one is taken off the difference, or few samples would seem surer than they are.
        """
        return _z(self.observed - self.pooled, sqrt(self.variance))

    def z_from(self, relative: float) -> float:
        """How many standard deviations the group is above what it had with this `relative`."""
        if self.control_n == 0:
            return 0.0
        deviation = sqrt(self.variance) * (self.n + self.control_n) / self.control_n
        return _z(self.observed - (1 + relative) * self.expected, deviation)

    @property
    def relative(self) -> float:
        """The group's successes over those expected, less 1: -0.25 is a quarter fewer. 0 when none is expected."""
        return self.observed / self.expected - 1 if self.expected > 0 else 0.0


def compare(strata: Iterable[Stratum]) -> Comparison:
    """Mantel and Haenszel's sums. A stratum without a control says nothing."""
    n = control_n = observed = 0
    pooled = variance = expected = 0.0
    for successes, size, control_successes, control_size in strata:
        if size <= 0 or control_size <= 0:
            continue
        both = size + control_size
        hits = successes + control_successes
        n, control_n, observed = n + size, control_n + control_size, observed + successes
        pooled += size * hits / both
        variance += size * control_size * hits * (both - hits) / (both * both * (both - 1))
        expected += size * control_successes / control_size
    return Comparison(n, control_n, observed, pooled, variance, expected)


def _z(difference: float, deviation: float) -> float:
    surely = copysign(max(0.0, abs(difference) - CONTINUITY), difference)
    if deviation > 0:
        return surely / deviation
    return copysign(inf, surely) if surely else 0.0


def two_proportion_z(successes: int, n: int, control_successes: int, control_n: int) -> float:
    """The z of a share against another, by their pooled variance; 0 when either has no samples."""
    if n <= 0 or control_n <= 0:
        return 0.0
    share = (successes + control_successes) / (n + control_n)
    variance = share * (1 - share) * (1 / n + 1 / control_n)
    return (successes / n - control_successes / control_n) / sqrt(variance) if variance > 0 else 0.0


def chance_below(z: float) -> float:
    """How likely chance alone gives a z so low or lower: the standard normal distribution."""
    return erfc(-z / sqrt(2)) / 2


def median(values: Iterable[float]) -> float:
    """The middle value. Raises: ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values have no median")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def spread(values: Iterable[float], around: float) -> float:
    """The median distance from a value (MAD), scaled to a standard deviation of a normal distribution."""
    return 1.4826 * median(abs(value - around) for value in values)
