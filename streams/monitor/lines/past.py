"""What a line or a workflow was like before: its own same hours, since when it is as it is, and its dials as known."""

from collections.abc import Callable, Container, Iterable
from typing import Final

import msgspec

from streams.monitor.lines.alarms import RINGS_SHARE, OwnPast
from streams.monitor.lines.comparing import (
    ALARM_DROP,
    DAYS_BEFORE,
    WELL_DROP,
    Band,
    band_of,
    with_own_past,
    with_past,
    with_peers,
)
from streams.monitor.lines.notices import FELL_DROP, MIN_DIALS, Lines
from streams.monitor.lines.tallies import NONE, Dials, Span, Tallies, cells_of, dials_of
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.dispositions import DELIVERED, UNKNOWN
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.proportions import Comparison
from streams.rules.windows import window_start

DAY_MS: Final = 86_400_000
# One look asks so many lines without peers for their past: each has the panes of seven hours to unpack.
MAX_ASKED: Final = 200
MANY: Final = 200


class _Ends(msgspec.Struct, gc=False):
    attempts: int
    attempt_dispositions: dict[str, int]


_unpack: Final = msgspec.msgpack.Decoder(_Ends).decode


def same_hours(store: OutcomeStore, line: str, hour: range) -> list[Dials]:
    """The line's dials in the same hour of each of the days before, the last first."""
    return [_dials_in(store, line, _earlier(hour, day * DAY_MS)) for day in range(1, DAYS_BEFORE + 1)]


def _earlier(hour: range, by_ms: int) -> range:
    start = window_start(hour.start - by_ms, hour.step)
    return range(start, start + (hour.stop - hour.start), hour.step)


def _dials_in(store: OutcomeStore, line: str, starts: range) -> Dials:
    total = NONE
    for _, pane in store.kept(SIP_LINE, line, starts):
        for _, dials in dials_of(cells_of(pane)):
            total = total.plus(dials)
    return total


def past_of(store: OutcomeStore, line: str, now: Dials, hour: range) -> tuple[Comparison, Band] | None:
    """The line's hour against the same hours before, and their band; None when too little is known of either."""
    if now.judged < MIN_SAMPLES:
        return None
    days = same_hours(store, line, hour)
    band = band_of(days)
    return None if band is None else (with_own_past(now, days, band), band)


def own_past(store: OutcomeStore, span: Span, hour: range, in_alarm: Container[str]) -> OwnPast:
    """`past_of` for a look at all lines. One that is in no alarm and reaches most phones can come into none."""
    asked = 0

    def ask(line: str) -> tuple[Comparison, Band] | None:
        nonlocal asked
        now = span.of_line(line)
        if line not in in_alarm and (asked >= MAX_ASKED or now.delivered > (1 + ALARM_DROP) * now.judged):
            return None
        asked += 1
        return past_of(store, line, now, hour)

    return ask


def known_dials(store: OutcomeStore, workflow: str, starts: Iterable[int]) -> tuple[int, int]:
    """(delivered, known) dials of a workflow in these panes; a cancelled dial is not known."""
    delivered = known = 0
    for _, pane in store.kept(WORKFLOW, workflow, starts):
        ends = _unpack(pane.packed)
        delivered += sum(ends.attempt_dispositions.get(name, 0) for name in DELIVERED)
        known += ends.attempts - ends.attempt_dispositions.get(UNKNOWN, 0)
    return delivered, known


def fell(now: tuple[int, int], before: tuple[int, int]) -> bool:
    """Whether the share of delivered dials dropped as far as an alarm needs; True where there is nothing to compare."""
    if not (now[1] and before[1] and before[0]):
        return True
    return now[0] / now[1] <= (1 + ALARM_DROP) * before[0] / before[1]


class BackInTime:
    """Since when something is as it is: the panes are gone through backwards as long as they show it.

    hour: the span that has all lines of now, and whose peers they are.
    """

    def __init__(self, tallies: Tallies, hour: Span) -> None:
        self._tallies = tallies
        self._hour = hour
        self._starts = tallies.starts[::-1]
        self._whole: dict[int, Span] = {}

    def behind_since(self, line: str) -> int:
        """The start of the first pane in which the line was behind."""
        names = {line, *self._hour.peers_of(line)}
        return self._since(names, lambda span: _says(with_peers(span, line), WELL_DROP))

    def never_since(self, line: str) -> int:
        """The start of the first pane in which hardly a dial of the line rang."""

        def never_rang(span: Span) -> bool | None:
            dials = span.of_line(line)
            return dials.delivered <= RINGS_SHARE * dials.judged if dials.judged else None

        return self._since({line}, never_rang)

    def fallen_since(self, workflow: str, usual: Lines) -> int:
        """The start of the first pane in which the workflow was below its usual."""
        names = set(self._hour.workflows.get(workflow, ()))
        return self._since(names, lambda span: _says(with_past(span.workflows.get(workflow, {}), usual), FELL_DROP))

    def _since(self, names: set[str], shows: Callable[[Span], bool | None]) -> int:
        since = self._starts[0]
        for start in self._starts:
            found = shows(self._span(start, names))
            if found is False:
                break
            since = start if found else since
        return since

    def _span(self, start: int, names: set[str]) -> Span:
        if len(names) <= MANY:
            return self._tallies.pane(start, names)
        if start not in self._whole:  # one for all that have many peers
            self._whole[start] = self._tallies.pane(start)
        return self._whole[start]


def _says(found: Comparison, drop: float) -> bool | None:
    """Whether a pane shows the drop; None for too few dials to say."""
    return found.relative <= drop if found.n >= MIN_DIALS else None
