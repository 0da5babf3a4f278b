"""Since when: over changes, over what could not be looked at, and over restarts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from streams.monitor.history.beginnings import SETTLE_S, Beginnings

SETTLED = int(SETTLE_S * 1000)


class Listed:
    """The append-only list, and a process that reads and writes it."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, int, str]] = []

    def process(self, now_ms: int = 0) -> Beginnings[str]:
        newest = {subject: (value, at_ms) for subject, at_ms, value in self.changes}
        beginnings = Beginnings[str](lambda *change: self.changes.append(change), str)
        beginnings.restore(newest, now_ms)
        return beginnings


def see(beginnings: Beginnings[str], now_ms: int, is_whole: bool = True, **values: str) -> None:
    beginnings.update({key: (value, now_ms) for key, value in values.items()}, now_ms, is_whole=is_whole)


def test_a_value_counts_from_its_first_sight_and_each_change_is_noted_once() -> None:
    listed = Listed()
    beginnings = listed.process()
    for at, value in ((200_000, "ok"), (201_000, "ok"), (202_000, "stop"), (203_000, "stop"), (204_000, "ok")):
        see(beginnings, at, p=value)
    assert beginnings.since_ms("p") == 204_000
    assert listed.changes == [("p", 200_000, "ok"), ("p", 202_000, "stop"), ("p", 204_000, "ok")]


def test_what_is_gone_is_forgotten_but_not_what_could_not_be_looked_at() -> None:
    listed = Listed()
    beginnings = listed.process()
    see(beginnings, 200_000, p="stop")
    see(beginnings, 201_000, is_whole=False)
    see(beginnings, 202_000, p="stop")
    assert beginnings.since_ms("p") == 200_000
    see(beginnings, 203_000)
    see(beginnings, 204_000, p="stop")
    assert beginnings.since_ms("p") == 204_000
    assert listed.changes == [("p", 200_000, "stop"), ("p", 203_000, ""), ("p", 204_000, "stop")]


def test_a_restart_forgets_nothing_of_what_is_still_so() -> None:
    listed = Listed()
    see(listed.process(), 200_000, p="stall", q="stop")
    before = list(listed.changes)

    after = listed.process(now_ms=500_000)
    see(after, 502_000, p="unknown", q="ok")
    assert after.since_ms("p") == 502_000
    see(after, 535_000, p="stall", q="ok")
    assert after.since_ms("p") == 200_000
    assert listed.changes == before, "nothing of them is noted before verdicts are what they were"
    see(after, 536_000, p="stall", q="ok", r="stop")
    assert listed.changes[len(before) :] == [("r", 536_000, "stop")]

    see(after, 500_000 + SETTLED, p="stall", q="ok", r="stop")
    assert after.since_ms("p") == 200_000
    assert listed.changes[len(before) + 1 :] == [("q", 502_000, "ok")]


@pytest.mark.parametrize("kills", range(1, 4))
def test_processes_that_die_before_they_settle_change_nothing(kills: int) -> None:
    listed = Listed()
    see(listed.process(), 200_000, p="stall")
    for number in range(1, kills + 1):
        see(listed.process(number * 300_000), number * 300_000 + 1, p="unknown")
    last = listed.process(2_000_000)
    see(last, 2_001_000, p="stall")
    assert last.since_ms("p") == 200_000


def test_what_ended_while_nobody_watched_is_noted_when_it_is_sure() -> None:
    listed = Listed()
    see(listed.process(), 200_000, p="stop")
    after = listed.process(now_ms=500_000)
    see(after, 501_000)
    see(after, 500_000 + SETTLED, is_whole=False)
    assert len(listed.changes) == 1
    see(after, 502_000 + SETTLED)
    assert listed.changes[1:] == [("p", 502_000 + SETTLED, "")]
    see(after, 503_000 + SETTLED, p="stop")
    assert after.since_ms("p") == 503_000 + SETTLED


def test_pages_and_the_beat_ask_at_once_and_one_waits_for_the_other() -> None:
    """Unlocked, one thread took away what the other was just about to note: KeyError."""
    both, met = Barrier(2), []

    def note(*_: object) -> None:
        with suppress(BrokenBarrierError):
            met.append(both.wait(0.2))

    beginnings = Beginnings[str](note, str)
    with ThreadPoolExecutor(2) as threads:
        since = list(threads.map(lambda key: beginnings.update({key: ("stop", 1000)}, 1000), "pq"))

    assert met == []
    assert since == [{"p": 1000}, {"q": 1000}]
