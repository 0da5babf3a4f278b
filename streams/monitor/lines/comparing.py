"""Pure: a line against the other lines of the same workflows, in the same panes; and against its own same hour before.

A change of a list, of the hour, or of a campaign hits all lines of a workflow at once; a bad line falls alone. So the
peers are the control. They are compared within each workflow, for lines serve workflows in different shares.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from streams.monitor.lines.tallies import Dials, Span
from streams.rules.bounds import OTHER
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.proportions import Comparison, Stratum, compare, median, spread

# Both must hold. Chance alone gives such a z to one of 300,000 looks; the drop is one that is worth a call at night.
ALARM_Z: Final = -4.5
ALARM_DROP: Final = -0.25
# Lines differ for good, by so much or less. The z is taken from there, too, or the worst of sound lines would be named.
USUAL_DROP: Final = -0.10
# A line is well again when it is surely above this drop: between both it stays as it was, and does not flap.
WELL_DROP: Final = -0.15
WELL_Z: Final = 3.0

# The same hour of so many days before; from fewer than that nothing is concluded.
DAYS_BEFORE: Final = 7
MIN_DAYS: Final = 3
BAND: Final = 2.0


class Against(Enum):
    """What a line is compared with."""

    PEERS = "peers"
    OWN_PAST = "own_past"
    NOTHING = "none"


class Standing(Enum):
    """What one comparison says."""

    BEHIND = "behind"
    WELL = "well"
    UNDECIDED = "undecided"


class Band(NamedTuple):
    """The usual NER of an hour: low, median, high."""

    low: float
    middle: float
    high: float


def with_peers(span: Span, line: str) -> Comparison:
    """The line's NER against that of its peers; n is 0 without peers."""
    return compare(_strata(span, line))


def _strata(span: Span, line: str) -> Iterator[Stratum]:
    for workflow, own in span.lines.get(line, {}).items():
        if workflow != OTHER:
            total = span.totals[workflow]
            yield Stratum(own.delivered, own.judged, total.delivered - own.delivered, total.judged - own.judged)


def with_past(now: Mapping[str, Dials], before: Mapping[str, Dials]) -> Comparison:
    """A workflow's delivered dials of all dials against those before, within each of its lines.

    Of all dials: a list of bad numbers is what falls on all lines together.
    """
    return compare(
        Stratum(dials.delivered, dials.attempts, before[line].delivered, before[line].attempts)
        for line, dials in now.items()
        if line in before
    )


def band_of(days: Sequence[Dials]) -> Band | None:
    """The median of the same hour of earlier days, and BAND times their spread to each side; None for too few days."""
    shares = [dials.delivered / dials.judged for dials in days if dials.judged >= MIN_SAMPLES]
    if len(shares) < MIN_DAYS:
        return None
    middle = median(shares)
    margin = BAND * spread(shares, middle)
    return Band(max(0.0, middle - margin), middle, min(1.0, middle + margin))


def with_own_past(now: Dials, days: Sequence[Dials], band: Band) -> Comparison:
    """The line against the middle of its band, as if that were known."""
    n, usual = now.judged, band.middle
    control_n = sum(dials.judged for dials in days)
    return Comparison(n, control_n, now.delivered, n * usual, n * usual * (1 - usual), n * usual)


def standing(found: Comparison, band: Band | None = None) -> Standing:
    """What a comparison says; nothing below 30 samples on either side."""
    if found.n < MIN_SAMPLES or found.control_n < MIN_SAMPLES:
        return Standing.UNDECIDED
    if found.relative <= ALARM_DROP and max(found.z, found.z_from(USUAL_DROP)) < ALARM_Z:
        return Standing.BEHIND if band is None or found.observed / found.n < band.low else Standing.UNDECIDED
    return Standing.WELL if found.z_from(WELL_DROP) > WELL_Z else Standing.UNDECIDED
