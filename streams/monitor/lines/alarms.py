"""Pure: which lines are in alarm, and since when. An alarm begins at once, and ends when the line is surely well.

Spans of 5, 15 and 60 minutes are looked at, the shortest first: the first that says anything decides. So a dead line is
found within a pane, a line with few calls within the hour, and one that was mended is well as soon as its newest calls
say so. Where no span says anything, everything stays as it was.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from streams.monitor.lines.comparing import Against, Band, Standing, standing, with_peers
from streams.monitor.lines.tallies import Dials, Span
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.proportions import Comparison

SPANS_S: Final = (300, 900, 3600)
# Of judged dials: so few that were delivered are none, and so many are some again.
NEVER_SHARE: Final = 0.02
RINGS_SHARE: Final = 0.10


@dataclass(frozen=True)
class SpanView:
    """One of SPANS_S: from start_ms, epoch ms, to the end of the present pane."""

    seconds: int
    start_ms: int
    span: Span


class HasSince(Protocol):
    """An alarm or a notice; since_ms: the start of the first pane that shows it."""

    @property
    def since_ms(self) -> int: ...


class Mended:
    """What was bad and is well again, and from when on. The panes of before say nothing of now, either way."""

    def __init__(self) -> None:
        self._from: dict[str, int] = {}

    def judge(self, name: str, view: SpanView, state: Standing, alarm: HasSince | None) -> Standing:
        """What the span says of now: undecided where it has panes of before the alarm began, or of before it ended."""
        if state is Standing.WELL and alarm is not None:
            if view.start_ms < alarm.since_ms:
                return Standing.UNDECIDED
            self._from[name] = view.start_ms
        if state is Standing.BEHIND and view.start_ms < self._from.get(name, 0):
            return Standing.UNDECIDED
        return state

    def forget_before(self, start_ms: int) -> None:
        """Forget what no span reaches any more."""
        self._from = {name: at for name, at in self._from.items() if at > start_ms}


@dataclass(frozen=True)
class Behind:
    """A line whose NER fell behind. seconds: the span that says so; band: of its own past, without peers."""

    line: str
    since_ms: int
    seconds: int
    against: Against
    found: Comparison
    band: Band | None = None


@dataclass(frozen=True)
class NeverRings:
    """A line none of whose dials reaches a phone. seconds: the span that says so."""

    line: str
    since_ms: int
    seconds: int
    dials: Dials


OwnPast = Callable[[str], tuple[Comparison, Band] | None]
Since = Callable[[str], int]


class LineAlarms:
    """The lines in alarm. Feed `update` with the spans of now, the shortest first."""

    def __init__(self) -> None:
        self.behind: dict[str, Behind] = {}
        self.never: dict[str, NeverRings] = {}
        self._mended = Mended()

    def update(self, views: Sequence[SpanView], own_past: OwnPast, since: Since, never_since: Since) -> None:
        """own_past: how a line without peers does; since, never_since: from when on the panes show it, epoch ms."""
        lines = views[-1].span.lines
        self._mended.forget_before(views[-1].start_ms)
        self.behind = dict(self._behind(lines, views, own_past, since))
        self.never = dict(self._never(lines, views, never_since))

    def _behind(
        self, lines: Iterable[str], views: Sequence[SpanView], own_past: OwnPast, since: Since
    ) -> Iterable[tuple[str, Behind]]:
        for line in lines:
            before = self.behind.get(line)
            state, behind = self._decided(line, views, own_past, before)
            if state is Standing.BEHIND and behind is not None:
                since_ms = before.since_ms if before else since(line)
                yield line, Behind(line, since_ms, behind.seconds, behind.against, behind.found, behind.band)
            elif state is Standing.UNDECIDED and before is not None and views[-1].span.of_line(line).judged:
                yield line, before

    def _decided(
        self, line: str, views: Sequence[SpanView], own_past: OwnPast, before: Behind | None
    ) -> tuple[Standing, Behind | None]:
        for view in views:
            found = with_peers(view.span, line)
            state = self._mended.judge(line, view, standing(found), before)
            if state is not Standing.UNDECIDED:
                return state, Behind(line, 0, view.seconds, Against.PEERS, found)
        if found.n or (past := own_past(line)) is None:
            return Standing.UNDECIDED, None
        found, band = past
        return standing(found, band), Behind(line, 0, views[-1].seconds, Against.OWN_PAST, found, band)

    def _never(self, lines: Iterable[str], views: Sequence[SpanView], since: Since) -> Iterable[tuple[str, NeverRings]]:
        for line in lines:
            before = self.never.get(line)
            found = _freshest(line, views)
            if found is None:
                if before is not None and views[-1].span.of_line(line).judged:
                    yield line, before
                continue
            seconds, dials = found
            if dials.delivered <= (RINGS_SHARE if before else NEVER_SHARE) * dials.judged:
                yield line, NeverRings(line, before.since_ms if before else since(line), seconds, dials)


def _freshest(line: str, views: Sequence[SpanView]) -> tuple[int, Dials] | None:
    """The shortest span with enough dials to say whether the line rings."""
    for view in views:
        dials = view.span.of_line(line)
        if dials.judged >= MIN_SAMPLES:
            return view.seconds, dials
    return None
