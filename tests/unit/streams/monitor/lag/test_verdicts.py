"""A table of offset histories and the verdict each deserves, Burrow's known mistakes among them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from streams.monitor.lag.tracker import HISTORY_S
from streams.monitor.lag.verdicts import LagVerdict, Memory, Sample, drain_s, memory_of, verdict

POLL_MS = 2000


def history(
    committed: Callable[[int], int | None], end: Callable[[int], int], polls: int = 60, owned: bool | None = True
) -> list[Sample]:
    """`polls` samples two seconds apart; committed and end by the number of the poll."""
    return [Sample(i * POLL_MS, committed(i), end(i), owned) for i in range(polls)]


TABLE: list[tuple[str, LagVerdict, list[Sample]]] = [
    ("nothing was ever looked at", "unknown", []),
    ("never committed", "unknown", history(lambda i: None, lambda i: i)),
    ("the offset is beyond the end: the topic was cut off", "beyond", history(lambda i: 90, lambda i: 5)),
    ("idle and read to the end", "ok", history(lambda i: 7, lambda i: 7)),
    ("idle, read to the end, and nobody there", "ok", history(lambda i: 7, lambda i: 7, owned=False)),
    ("one look, nothing to read", "ok", history(lambda i: 7, lambda i: 7, polls=1)),
    ("one look at a backlog says nothing (Burrow: OK at start-up)", "unknown", history(lambda i: 7, lambda i: 9, 1)),
    ("three looks at a backlog", "unknown", history(lambda i: i, lambda i: i + 9, 3)),
    ("steady, a few records behind", "ok", history(lambda i: 100 * i, lambda i: 100 * i + 9)),
    ("a far backlog that shrinks", "behind", history(lambda i: 150 * i, lambda i: 20_000 + 100 * i)),
    ("a far backlog that neither grows nor shrinks", "behind", history(lambda i: 100 * i, lambda i: 9_000 + 100 * i)),
    (
        "all was read lately, and what came since takes long at the rate of a quiet topic",
        "ok",
        history(lambda i: int(i >= 50), lambda i: int(i >= 50) + max(0, 4 * (i - 54))),
    ),
    ("producing at twice the reading rate, just begun", "ok", history(lambda i: 100 * i, lambda i: 200 * i, 20)),
    ("producing at twice the reading rate, for long", "warn", history(lambda i: 100 * i, lambda i: 200 * i)),
    (
        "sawtooth that grows (Burrow: OK because it dips)",
        "warn",
        history(lambda i: 200 * (i // 5), lambda i: 100 * i),
    ),
    (
        "a lucky zero long ago hides no climb (Burrow rule 3)",
        "warn",
        history(lambda i: 10 * i if i else 0, lambda i: 100 * i),
    ),
    ("a zero just now clears it", "ok", history(lambda i: 100 * i if i < 50 else 200 * min(i, 55), lambda i: 200 * i)),
    ("killed ten seconds ago", "stop", history(lambda i: 9, lambda i: i, 14, owned=False)),
    ("killed four seconds ago: a restart looks the same", "unknown", history(lambda i: 2, lambda i: i, 4, False)),
    ("dead before the monitor began", "stop", history(lambda i: 5, lambda i: 9, 4, owned=False)),
    ("dead while nothing is produced", "stop", history(lambda i: 5, lambda i: 9, owned=False)),
    (
        "without a member, yet it commits: a reader without a group",
        "ok",
        history(lambda i: i, lambda i: i + 2, 60, False),
    ),
    ("a poison record", "stall", history(lambda i: 5, lambda i: 9 + i)),
    ("a poison record while nothing new comes", "stall", history(lambda i: 5, lambda i: 9)),
    ("a poison record thirty seconds old", "stall", history(lambda i: 5, lambda i: 9, 17)),
    ("not moving for twenty seconds only", "ok", history(lambda i: 5, lambda i: 9, 11)),
    (
        "commits once in 40 s, steady",
        "ok",
        history(lambda i: 2 * (i // 20 * 20), lambda i: 2 * i + 1, 79),
    ),
    (
        "commits once in 60 s, steady",
        "ok",
        history(lambda i: 20 * (i // 30 * 30), lambda i: 20 * i + 9, 119),
    ),
    (
        "commits once in 40 s, then no more",
        "stall",
        history(lambda i: 2 * min(40, i // 20 * 20), lambda i: 2 * i + 1, 120),
    ),
    ("100 h behind, gaining one record a second", "behind", history(lambda i: 22 * i, lambda i: 360_000 + 20 * i)),
    ("10 h behind for ever", "behind", history(lambda i: 20 * i, lambda i: 360_000 + 20 * i)),
    ("a rebalance that never ends", "stall", history(lambda i: 5, lambda i: 9, owned=None)),
    ("a record that arrived after an idle hour", "ok", history(lambda i: 5, lambda i: 5 if i < 58 else 6)),
    ("a slow commit interval (Burrow #38)", "ok", history(lambda i: i // 10 * 10, lambda i: i + 1)),
    ("an offset that went back", "rewind", history(lambda i: 50 if i < 50 else 20 + i - 50, lambda i: 60)),
    ("gone back and regained", "ok", history(lambda i: 100 * i if i < 20 else 100 * i - 1, lambda i: 100 * i + 9)),
    ("gone back to read again, and all read", "ok", history(lambda i: 60 if i != 30 else 9, lambda i: 60)),
]


AGES: list[tuple[str, LagVerdict, list[Sample]]] = [
    ("one look at a record of an hour", "behind", [Sample(0, 5, 9, True, 3600.0)]),
    ("one look at a record of a second", "ok", [Sample(0, 5, 9, True, 1.0)]),
    ("one look at a young record that nobody reads", "unknown", [Sample(0, 5, 9, False, 1.0)]),
    ("an old record, shrinking", "behind", [Sample(i * POLL_MS, 50 * i, 9000, True, 60.0 - i) for i in range(20)]),
    (
        "a young record, many of them",
        "ok",
        [Sample(i * POLL_MS, 900 * i, 900 * i + 9000, True, 2.0) for i in range(60)],
    ),
    ("nothing but markers left", "ok", [Sample(i * POLL_MS, 5, 9, True, 0.0, 0) for i in range(60)]),
    ("an old record and nobody there", "stop", [Sample(i * POLL_MS, 5, 9, False, 60.0) for i in range(4)]),
]


@pytest.mark.parametrize(("case", "expected", "samples"), AGES, ids=[case for case, _, _ in AGES])
def test_the_age_of_the_next_record_decides_at_once(case: str, expected: LagVerdict, samples: list[Sample]) -> None:
    assert expected == verdict(samples)


def test_a_group_whose_interval_is_known_gets_no_grace_for_a_long_stall() -> None:
    slow = history(lambda i: 2 * (i // 20 * 20), lambda i: 2 * i + 1, 79)
    memory = Memory(learns=False)
    for sample in slow:
        memory.add(sample)

    assert verdict(slow, memory) == "stall"


@pytest.mark.parametrize(("case", "expected", "samples"), TABLE, ids=[case for case, _, _ in TABLE])
def test_a_history_gets_its_verdict(case: str, expected: LagVerdict, samples: list[Sample]) -> None:
    assert expected == verdict(samples)


def test_three_records_a_day_raise_no_false_alarm() -> None:
    """24 hours of polls over a topic with a record every eight hours, read within ten seconds (Burrow #128, #303)."""
    arrivals = [i * 14_400 for i in range(3)]
    states = set()
    window: list[Sample] = []
    for i in range(43_200):
        end = sum(i >= at for at in arrivals)
        committed = sum(i >= at + 5 for at in arrivals)
        window = [*window[-59:], Sample(i * POLL_MS, committed, end, True)]
        if committed != end:
            states.add(verdict(window))

    assert states <= {"ok", "unknown"}


def test_a_rewind_says_how_many_records_come_again() -> None:
    assert memory_of(history(lambda i: 50 if i < 5 else 20, lambda i: 60, 10)).rewound_by == 30


def test_the_drain_time_is_the_backlog_over_the_net_rate() -> None:
    assert pytest.approx(drain_s(history(lambda i: 300 * i, lambda i: 2000 + 200 * i, 11))) == 1000 / 50


@pytest.mark.parametrize("seed", range(20))
def test_half_way_through_a_backlog_the_drain_time_is_right_to_a_fifth(seed: int) -> None:
    """Read twice as fast as it grows, both by fits and starts; the history is as long as the tracker keeps it."""
    random, polls = Random(seed), int(HISTORY_S * 1000 / POLL_MS)
    samples, committed, end = [Sample(0, 0, 20_000)], 0.0, 20_000.0
    while committed < end:
        committed += random.uniform(80, 120) * 2
        end += random.uniform(80, 120)
        samples.append(Sample(len(samples) * POLL_MS, int(min(committed, end)), int(end)))
    half = next(place for place, sample in enumerate(samples) if sample.lag <= 10_000)
    predicted_s = drain_s(samples[max(0, half - polls) : half + 1])

    assert predicted_s == pytest.approx((samples[-1].at_ms - samples[half].at_ms) / 1000, rel=0.2)


def test_a_backlog_that_does_not_shrink_never_drains() -> None:
    assert math.inf == drain_s(history(lambda i: i, lambda i: i + 5))


def test_no_backlog_is_drained_at_once() -> None:
    assert drain_s(history(lambda i: i, lambda i: i)) == 0.0
