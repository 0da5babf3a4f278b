"""All lines over one span, the worst first: in alarm, then by how far they are behind their peers, then by failures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.errors import BadParameterError
from streams.monitor.lines.alarms import NEVER_SHARE, SPANS_S
from streams.monitor.lines.comparing import Against, Band, Standing, standing, with_peers
from streams.monitor.lines.past import past_of
from streams.monitor.lines.tallies import Dials, Span, span_of
from streams.monitor.lines.watch import LineState, span_starts
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE
from streams.rules.kpis import MIN_SAMPLES, ratio
from streams.rules.merging import merge
from streams.rules.proportions import Comparison

NEVER_RINGS: Final = "never_rings"
BEHIND: Final = "behind"
OK: Final = "ok"
TOO_FEW: Final = "too_few"
NO_CONTROL: Final = "no_control"
# Worst first; what they mean is in streams/monitor/README.md.
STATES: Final = (NEVER_RINGS, BEHIND, OK, NO_CONTROL, TOO_FEW)
ALARMS: Final = (NEVER_RINGS, BEHIND)

SPARK_HOURS: Final = 24
HOUR_MS: Final = 3_600_000
# A second or two of unpacking.
MAX_PANES: Final = 200_000


@dataclass(frozen=True)
class LinesQuery:
    """Which lines, over which span: it ends at end_ms, UTC epoch ms. skip, limit: which of the ranked lines."""

    window_s: int
    end_ms: int
    pane_s: int
    line: str | None = None
    workflow: str | None = None
    skip: int = 0
    limit: int = 100

    @property
    def starts(self) -> range:
        """The panes of the span."""
        return span_starts(self.end_ms, self.pane_s * 1000, self.window_s)


def longest_s(store: OutcomeStore, pane_s: int) -> int:
    """The longest span of all lines that can be read at once: the more lines, the shorter. At least one pane."""
    return max(1, MAX_PANES // max(1, len(store.values(SIP_LINE)))) * pane_s


@dataclass(frozen=True)
class Peer:
    """A line against its control. lines: its peers; band: of its own past, where it has no peers."""

    against: Against
    found: Comparison
    lines: int = 0
    band: Band | None = None

    @property
    def is_known(self) -> bool:
        """Whether there are enough dials on both sides to say anything."""
        return min(self.found.n, self.found.control_n) >= MIN_SAMPLES

    @property
    def usual(self) -> float | None:
        """The NER that the control would have given the line."""
        return self.found.expected / self.found.n if self.is_known else None


@dataclass(frozen=True)
class RankedLine:
    """One line. window: its sums over the span; hours: its NER hour by hour, the last SPARK_HOURS, None below 30."""

    line: str
    state: str
    since_ms: int | None
    window: WindowedOutcomes
    peer: Peer
    workflows: list[tuple[str, int]]
    hours: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class Ranking:
    """count: how many lines there are in all; rows: those that the query is for."""

    query: LinesQuery
    count: int
    rows: list[RankedLine]

    @property
    def has_more(self) -> bool:
        """Whether lines follow."""
        return self.query.skip + len(self.rows) < self.count


def rank(store: OutcomeStore, query: LinesQuery, state: LineState) -> Ranking:
    """Rank all lines with dials in the span. state: of the watch, for a span that ends now; else an empty one.

    Raises: BadParameterError for a span with more panes than can be read at once.
    """
    starts = query.starts
    if query.window_s > (most_s := longest_s(store, query.pane_s)):
        raise BadParameterError(f"window is too long for so many lines: at most {most_s}s")
    span = span_of(store, starts)
    chosen = [line for line in span.lines if _is_chosen(span, line, query)]
    compared = {line: with_peers(span, line) for line in chosen}
    states = {line: _state(line, span.of_line(line), compared[line], state) for line in chosen}
    chosen.sort(key=lambda line: _key(line, span.of_line(line), compared[line], states[line]))
    rows = [
        _row(store, query, span, line, compared[line], states[line], state)
        for line in chosen[query.skip : query.skip + query.limit]
    ]
    return Ranking(query, len(chosen), rows)


def _is_chosen(span: Span, line: str, query: LinesQuery) -> bool:
    return query.line in (None, line) and (query.workflow is None or query.workflow in span.lines[line])


def _state(line: str, dials: Dials, found: Comparison, state: LineState) -> str:
    if line in state.never:
        return NEVER_RINGS
    if line in state.behind:
        return BEHIND
    if dials.judged < MIN_SAMPLES:
        return TOO_FEW
    if state.as_of_ms is None:  # the past: what the span itself says
        if dials.delivered <= NEVER_SHARE * dials.judged:
            return NEVER_RINGS
        if standing(found) is Standing.BEHIND:
            return BEHIND
    return OK if min(found.n, found.control_n) >= MIN_SAMPLES else NO_CONTROL


def _key(line: str, dials: Dials, found: Comparison, state: str) -> tuple[int, float, float, str]:
    is_known = min(found.n, found.control_n) >= MIN_SAMPLES
    failed = (dials.judged - dials.delivered) / dials.attempts if dials.attempts else 0.0
    alarm = ALARMS.index(state) if state in ALARMS else len(ALARMS)
    return alarm, found.z if is_known else 0.0, -failed, line


def _row(
    store: OutcomeStore, query: LinesQuery, span: Span, line: str, found: Comparison, word: str, state: LineState
) -> RankedLine:
    alarm = state.never.get(line) or state.behind.get(line)
    window = merge(store.trailing(SIP_LINE, line, query.starts), query.starts.start, query.end_ms, is_final=False)
    peers = len(span.peers_of(line))
    peer = Peer(Against.PEERS, found, peers) if peers else _own_past(store, query, line)
    workflows = sorted(
        ((name, dials.attempts) for name, dials in span.lines[line].items()), key=lambda w: (-w[1], w[0])
    )
    hours = list(_hours(store, query, line))
    return RankedLine(line, word, alarm.since_ms if alarm else None, window, peer, workflows, hours)


def _own_past(store: OutcomeStore, query: LinesQuery, line: str) -> Peer:
    hour = span_starts(query.end_ms, query.pane_s * 1000, SPANS_S[-1])
    past = past_of(store, line, span_of(store, hour, [line]).of_line(line), hour)
    return Peer(Against.NOTHING, Comparison()) if past is None else Peer(Against.OWN_PAST, past[0], 0, past[1])


def _hours(store: OutcomeStore, query: LinesQuery, line: str) -> Iterator[float | None]:
    for number in range(SPARK_HOURS, 0, -1):
        end = query.end_ms - (number - 1) * HOUR_MS
        dials = span_of(store, span_starts(end, query.pane_s * 1000, HOUR_MS // 1000), [line]).of_line(line)
        found = ratio(dials.delivered, dials.judged)
        yield None if found is None else found["value"]
