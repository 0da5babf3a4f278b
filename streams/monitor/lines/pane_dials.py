"""The dials of every line in a time range, from the windows in memory."""

from collections import Counter
from typing import Final

import msgspec

from schemas.records.outcomes import LineWorkflowOutcomes
from streams.monitor.lines.dials import Dial, dials_of
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE

MAX_PANES: Final = 20_000  # half a second of unpacking; of the peers the newest panes are compared


class _Packed(msgspec.Struct, gc=False):
    """Of a packed window only what is used here: unpacking the rest costs ten times as much."""

    window_start_at: int
    by_workflow: dict[str, LineWorkflowOutcomes]


_unpack: Final = msgspec.msgpack.Decoder(_Packed).decode


def pane_dials(store: OutcomeStore, line: str, from_ms: int, to_ms: int, pane_s: int) -> dict[str, Counter[Dial]]:
    """By line: the panes that overlap [from_ms, to_ms), UTC epoch ms; of other lines MAX_PANES at most."""
    lines = store.values(SIP_LINE)
    newest = max(1, MAX_PANES // max(len(lines), 1))
    peers_from_ms = max(from_ms, to_ms - newest * pane_s * 1000)
    found: dict[str, Counter[Dial]] = {}
    for name in lines:
        query = WindowQuery(pane_s, from_ms if name == line else peers_from_ms, to_ms)
        dials: Counter[Dial] = Counter()
        for window in store.laid(SIP_LINE, name, query):
            for stored in window.panes:
                pane = _unpack(stored.packed)
                dials.update(dials_of(pane.window_start_at, pane.by_workflow))
        if dials:
            found[name] = dials
    return found
