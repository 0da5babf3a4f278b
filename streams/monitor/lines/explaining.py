"""Why this line? Its dials compared with its peers' dials over everything that is known of a dial. Pure.

Two kinds of findings. A *difference*: a share of the line's dials ends in some way, and far fewer (or more) of its
peers' do. A *segment*: the line's failures lie in one workflow, caller prefix, hour or attempt. The rate inside is
above that of its other dials and above that of its peers' dials: what harms all lines alike is no finding.

Dials are compared within a workflow and an hour, so another mix of them is no finding either.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Final, Literal

from streams.monitor.lines.dials import Dial
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.proportions import Comparison, Stratum, compare

ENDS: Final = ("outcome", "ring", "ring_time", "hangup_type", "result_label")
SEGMENTS: Final = ("workflow", "caller_prefix", "hour", "attempt")

# All comparisons of one kind of source together find something in a thousandth of the cases where nothing is there.
FALSE_FINDING: Final = 0.001
MIN_DIFFERENCE: Final = 0.05  # less is of no use at night, however sure
MIN_HITS: Final = 10  # seen, or expected by chance: the normal law is too sure of less
MAX_VALUES: Final = 50  # of one attribute: the frequent ones
MAX_FINDINGS: Final = 20

Kind = Literal["segment", "difference"]
Place = tuple[str, int]  # a workflow and an hour
Both = tuple[Counter[Place], Counter[Place]]  # here, and the peers


@dataclass(frozen=True)
class Finding:
    """One thing that sets the line apart. Shares are 0 to 1, of `n` dials here and `peer_n` of the peers.

    A segment's shares are failure rates inside it; `outside` is the rate of the line's other dials, `holds` the part of
    the line's failures that lies inside. in_segment: the peers' dials are those of the same segment. peer_share: None
    without peers.
    """

    kind: Kind
    attribute: str
    value: str
    share: float
    n: int
    z: float
    peer_share: float | None = None
    peer_n: int = 0
    outside: float | None = None
    holds: float | None = None
    in_segment: bool = False

    @property
    def difference(self) -> float:
        """The share here less that of the peers; for a segment without peers, less that outside."""
        base = self.outside if self.peer_share is None else self.peer_share
        return self.share - (base or 0.0)


@dataclass(frozen=True)
class Compared:
    """What came of one comparison: findings, the telling ones first, out of so many comparisons.

    n, peer_n: the dials that were compared, in workflows and hours that both have.
    """

    findings: tuple[Finding, ...]
    comparisons: int
    n: int
    peer_n: int


def compared(here: Counter[Dial], peers: Counter[Dial]) -> Compared:
    """Compare a line's dials with its peers'. Raises nothing; too few dials give no findings."""
    nothing: Both = (Counter(), Counter())
    shared = compare(_strata(_both(here, peers), nothing))
    tests = [*_differences(here, peers), *_segments(here, peers)]
    least = least_z(len(tests))
    found = [finding for finding in tests if finding is not None and abs(finding.z) >= least]
    return Compared(ranked(found), len(tests), shared.n, shared.control_n)


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Segments that hold most of the failures come first, for they say where to look; then by z."""
    return tuple(sorted(findings, key=_rank)[:MAX_FINDINGS])


def _rank(finding: Finding) -> tuple[bool, float, str, str]:
    return (finding.holds or 0.0) < 0.5, -abs(finding.z), finding.attribute, finding.value


def _differences(here: Counter[Dial], peers: Counter[Dial]) -> Iterator[Finding | None]:
    """One for each value of each attribute that was compared; None where nothing speaks for it."""
    both = _both(here, peers)
    for attribute in ENDS:
        for value, hits in _hits(attribute, here, peers):
            result = compare(_strata(both, hits))
            if min(result.n, result.control_n) >= MIN_SAMPLES:
                yield _difference(attribute, value, result)


def _difference(attribute: str, value: str, result: Comparison) -> Finding | None:
    share, peer_share = result.observed / result.n, result.expected / result.n
    if abs(share - peer_share) < MIN_DIFFERENCE or max(result.observed, result.pooled) < MIN_HITS:
        return None
    return Finding("difference", attribute, value, share, result.n, result.z, peer_share, result.control_n)


def _segments(here: Counter[Dial], peers: Counter[Dial]) -> Iterator[Finding | None]:
    dials, failures = here.total(), _failures(here)
    for attribute in SEGMENTS:
        parts, peer_parts = _parted(here, attribute), _parted(peers, attribute)
        for value in sorted(parts, key=lambda value: -parts[value].total())[:MAX_VALUES]:
            inside = Inside(attribute, value, parts[value], dials, failures)
            if min(inside.n, dials - inside.n) >= MIN_SAMPLES:
                yield _segment(inside, peer_parts.get(value, Counter()), peers)


@dataclass(frozen=True)
class Inside:
    """The line's dials of one segment. dials, all_failures: those of the whole line."""

    attribute: str
    value: str
    part: Counter[Dial]
    dials: int
    all_failures: int

    @property
    def n(self) -> int:
        """The dials inside."""
        return self.part.total()


def _segment(inside: Inside, same: Counter[Dial], peers: Counter[Dial]) -> Finding | None:
    """The line's failures inside against outside, and against the peers; both must speak for it, so the lesser z is."""
    failures = _failures(inside.part)
    others, other_failures = inside.dials - inside.n, inside.all_failures - failures
    share, outside = failures / inside.n, other_failures / others
    if failures < MIN_HITS or share - outside < MIN_DIFFERENCE:
        return None
    within = compare([Stratum(failures, inside.n, other_failures, others)])
    found = partial(
        Finding,
        "segment",
        inside.attribute,
        inside.value,
        share,
        inside.n,
        outside=outside,
        holds=failures / inside.all_failures,
    )
    against, in_segment = _against_peers(inside.part, same, peers)
    if against is None:
        return found(within.z)
    peer_share = against.expected / against.n
    if share - peer_share < MIN_DIFFERENCE:
        return None
    z = min(within.z, against.z)
    return found(z, peer_share=peer_share, peer_n=against.control_n, in_segment=in_segment)


def _against_peers(part: Counter[Dial], same: Counter[Dial], peers: Counter[Dial]) -> tuple[Comparison | None, bool]:
    """The segment against the peers' dials of the same segment; of any, where they have too few of it."""
    for group, in_segment in ((same, True), (peers, False)):
        result = compare(_strata(_both(part, group), _both(part, group, _is_failed)))
        if result.control_n >= MIN_SAMPLES:
            return result, in_segment
    return None, False


def least_z(comparisons: int) -> float:
    """The least |z| that counts when so many comparisons are made at once (Bonferroni, two-sided)."""
    return NormalDist().inv_cdf(1 - FALSE_FINDING / (2 * max(comparisons, 1)))


def _counted(dials: Counter[Dial], weighs: Callable[[Dial], bool] = lambda _: True) -> Counter[Place]:
    """How many of the dials lie in each workflow and hour."""
    found: Counter[Place] = Counter()
    for dial, count in dials.items():
        if weighs(dial):
            found[dial.workflow, dial.hour] += count
    return found


def _both(
    here: Counter[Dial], peers: Counter[Dial], weighs: Callable[[Dial], bool] = lambda _: True
) -> tuple[Counter[Place], Counter[Place]]:
    return _counted(here, weighs), _counted(peers, weighs)


def _strata(both: Both, hits: Both) -> Iterator[Stratum]:
    """Every workflow and hour in which the line dialled."""
    for place, n in both[0].items():
        yield Stratum(hits[0][place], n, hits[1][place], both[1][place])


def _hits(attribute: str, here: Counter[Dial], peers: Counter[Dial]) -> list[tuple[str, Both]]:
    """The dials by the values of an attribute, the frequent ones; none when it is not known from this source."""
    found: defaultdict[str, Both] = defaultdict(lambda: (Counter(), Counter()))
    totals: Counter[str] = Counter()
    for side, dials in enumerate((here, peers)):
        for dial, count in dials.items():
            if (value := getattr(dial, attribute)) is not None:
                found[value][side][dial.workflow, dial.hour] += count
                totals[value] += count
    return [(value, found[value]) for value, _ in totals.most_common(MAX_VALUES)]


def _is_failed(dial: Dial) -> bool:
    return dial.is_failed


def _parted(dials: Counter[Dial], attribute: str) -> dict[str, Counter[Dial]]:
    """The dials by the values of an attribute, as text."""
    parts: defaultdict[str, Counter[Dial]] = defaultdict(Counter)
    for dial, count in dials.items():
        if (value := getattr(dial, attribute)) is not None:
            parts[str(value)][dial] += count
    return dict(parts)


def _failures(dials: Counter[Dial]) -> int:
    return sum(count for dial, count in dials.items() if dial.is_failed)
