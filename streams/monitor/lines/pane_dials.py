"""What the windows in memory have of a line and of its peers in a time range."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas.records.outcomes import LineWorkflowOutcomes
from streams.monitor.lines.dials import Dial, dials_of
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.bounds import OTHER
from streams.rules.dimensions import SIP_LINE

MAX_PANES: Final = 20_000  # two seconds of counting; of the peers the newest panes are compared


class LinePane(msgspec.Struct, gc=False):
    """Of a packed window only what is used here: unpacking the rest costs ten times as much."""

    window_start_at: int
    by_workflow: dict[str, LineWorkflowOutcomes]
    ring_types: dict[str, int]
    hangup_types: dict[str, int]


_unpack: Final = msgspec.msgpack.Decoder(LinePane).decode
Panes = Mapping[str, list[LinePane]]


def panes_of(store: OutcomeStore, line: str, from_ms: int, to_ms: int, pane_s: int) -> Panes:
    """By line: the panes that overlap [from_ms, to_ms), UTC epoch ms, of the line and of its peers.

    Peers are the other lines that dialled for one of its workflows; of them those panes come in which they did, and
    MAX_PANES of all lines at most.
    """
    lines = store.values(SIP_LINE)
    newest = max(1, MAX_PANES // max(len(lines), 1))
    own = list(_read(store, line, from_ms, to_ms, pane_s))
    workflows = {workflow for pane in own for workflow in pane.by_workflow} - {OTHER}
    found = {line: own}
    peers_from_ms = max(from_ms, to_ms - newest * pane_s * 1000)
    for name in lines if workflows else ():
        if name and name != line:
            panes = [
                pane
                for pane in _read(store, name, peers_from_ms, to_ms, pane_s)
                if not workflows.isdisjoint(pane.by_workflow)
            ]
            if panes:
                found[name] = panes
    return found


def tally_of(panes: Panes) -> dict[str, Counter[Dial]]:
    """How many dials of each kind each line made."""
    found: dict[str, Counter[Dial]] = {}
    for name, own in panes.items():
        dials = found.setdefault(name, Counter())
        for pane in own:
            dials.update(dials_of(pane.window_start_at, pane.by_workflow))
    return found


def _read(store: OutcomeStore, line: str, from_ms: int, to_ms: int, pane_s: int) -> Iterator[LinePane]:
    for window in store.laid(SIP_LINE, line, WindowQuery(pane_s, from_ms, to_ms)):
        for stored in window.panes:
            yield _unpack(stored.packed)
