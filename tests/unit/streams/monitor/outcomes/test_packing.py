"""A pane that is kept small is the pane that came, and takes little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.outcomes.packing import restored, shrunk
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import WORKFLOW
from tests.support.panes import NOON_MS, PANE_MS, pane


@given(st.binary(max_size=20_000), st.binary(max_size=20_000))
def test_any_bytes_come_back(packed: bytes, like: bytes) -> None:
    assert restored(shrunk(packed, like), like) == packed


def test_each_pane_is_what_came_and_later_ones_take_a_fifth() -> None:
    store = OutcomeStore()
    came = [pane(NOON_MS + number * PANE_MS, calls=number, results={"finished": number}) for number in range(20)]
    for window in came:
        store.put(WORKFLOW, window, NOON_MS + 20 * PANE_MS)
    starts = [window.window_start_at for window in came]
    assert store.trailing(WORKFLOW, "wf-1", starts) == came
    kept = [len(pane.kept) for _, pane in store.kept(WORKFLOW, "wf-1", starts)]
    assert max(kept[1:]) * 5 < kept[0]
