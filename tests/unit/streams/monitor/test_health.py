"""The one word for everything: never `ok` when something is wrong, and never when nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.monitor.health import Health, HealthSource, HealthTracker, health_view
from streams.monitor.lag.readings import Unseen
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import VERDICTS, LagVerdict

NOW = 1_732_700_000_000
WORKER = "airudder-streams"
GOOD = PartitionLag("airudder.callbacks.v1", 0, 10, 0, 10, 0, 0.0, "ok")


def sources(
    lag_age_s: float | None = 1, outcomes_age_s: float | None = 1, fault: str | None = None
) -> list[HealthSource]:
    def at(age_s: float | None) -> int | None:
        return None if age_s is None else NOW - int(age_s * 1000)

    return [
        HealthSource("lag", at(lag_age_s), fault, 8, "/lag"),
        HealthSource("outcomes", at(outcomes_age_s), None, 10, "/#problems"),
    ]


def snapshot(*rows: PartitionLag, name: str = WORKER, members: int = 1, is_known: bool = True) -> LagSnapshot:
    state = "Stable" if members else "Empty"
    return LagSnapshot(NOW, (GroupLag(name, state, members, rows or (GOOD,), {}, is_known),), {}, {}, {})


def health(found: LagSnapshot | None, given: list[HealthSource] | None = None) -> Health:
    return HealthTracker().update(given or sources(), found, WORKER, NOW)


def test_all_read_lately_and_nothing_wrong_is_ok() -> None:
    found = health(snapshot())

    assert (found.state, found.problems) == ("ok", ())


@pytest.mark.parametrize("state", [state for state in VERDICTS if state != "ok"])
def test_no_verdict_but_ok_is_ok(state: LagVerdict) -> None:
    row = replace(GOOD, verdict=state, lag=5, end_offset=15)

    assert health(snapshot(row)).state == ("broken" if state in ("stop", "stall", "beyond") else "degraded")


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (sources(lag_age_s=None, fault="Kafka did not answer"), False),
        (sources(lag_age_s=9), True),
        (sources(outcomes_age_s=None), True),
        (sources(outcomes_age_s=11), True),
        (sources(lag_age_s=600, outcomes_age_s=600), True),
    ],
)
def test_what_was_not_read_or_long_ago_makes_blind(given: list[HealthSource], known: bool) -> None:
    assert health(snapshot() if known else None, given).state == "blind"


def test_old_verdicts_say_nothing_about_now() -> None:
    stopped = snapshot(replace(GOOD, verdict="stop", lag=5))

    assert health(stopped, sources(lag_age_s=30)).state == "blind"
    assert health(stopped).state == "broken"


def test_a_worker_that_commits_nothing_while_old_records_wait_is_broken_before_its_session_ends() -> None:
    frozen = replace(GOOD, verdict="behind", lag=7, lag_seconds=11.0, unmoved_s=10.5)
    catching_up = replace(frozen, unmoved_s=2.0)

    assert health(snapshot(frozen)).state == "broken"
    assert health(snapshot(catching_up)).state == "degraded"
    assert health(snapshot(frozen, name="another")).state == "degraded", "others may commit as seldom as they like"


def test_a_problem_leads_to_the_partition_that_is_furthest_behind() -> None:
    rows = [replace(GOOD, partition=n, verdict="stall", lag=5, lag_seconds=age) for n, age in ((0, 3.0), (7, 90.0))]
    group = GroupLag("a/b", "Stable", 1, tuple(rows), {})
    [problem] = health(replace(snapshot(), groups=(group,))).problems

    assert problem.link == f"/lag/a%2Fb/{GOOD.topic}/7"


def test_a_group_that_stays_without_members_is_broken_though_nothing_waits() -> None:
    tracker, alone = HealthTracker(), snapshot(members=0)
    found = [tracker.update(sources(), alone, WORKER, NOW + after_ms) for after_ms in (0, 2000, 4000)]

    assert [h.state for h in found] == ["ok", "ok", "broken"]
    assert found[-1].problems[0].what == f"{WORKER} has no live member"


@pytest.mark.parametrize(("end", "state"), [(0, "degraded"), (5, "broken")])
def test_a_worker_that_was_never_there_is_distinguished(end: int, state: str) -> None:
    row = PartitionLag("airudder.callbacks.v1", 0, None, 0, end, None, None, "unknown")
    found = health(snapshot(row, members=0, is_known=False))

    assert (found.state, found.problems[0].what) == (state, f"{WORKER} has never read anything")


def test_what_cannot_be_seen_is_blindness_and_names_the_remedy() -> None:
    hidden = Unseen("group g", "GroupAuthorizationFailedError: grant the monitor DESCRIBE on this group", group="g")
    found = health(replace(snapshot(), unseen=(hidden,)))

    assert found.state == "blind"
    assert "grant" in found.problems[0].evidence


def test_losses_and_dead_letters_are_problems_with_their_time() -> None:
    lost = replace(snapshot(), records_lost={("g", "t"): 40}, lost_at_ms={("g", "t"): NOW - 1000})
    old = replace(lost, lost_at_ms={("g", "t"): NOW - 90_000_000})
    letters = replace(snapshot(), dead_letters=(3, NOW - 5000))

    assert health(lost).state == "broken"
    assert "40" in health(lost).problems[0].evidence
    assert health(old).state == "ok"
    assert (health(letters).state, health(letters).problems[0].since_ms) == ("degraded", NOW - 5000)


def test_a_rewind_of_a_group_without_members_is_shown_beside_its_stop() -> None:
    row = replace(GOOD, verdict="stop", lag=90, rewound_by=80)
    found = health(snapshot(row, name="foreign"))

    assert [p.what for p in found.problems] == ["foreign: stop", "foreign: rewound"]


def test_problems_come_worst_first_and_know_since_when() -> None:
    tracker = HealthTracker()
    slow = replace(GOOD, verdict="behind", lag=5)
    tracker.update(sources(), snapshot(slow), WORKER, NOW - 7000)
    found = tracker.update(
        sources(outcomes_age_s=20), snapshot(slow, replace(GOOD, partition=1, verdict="stop")), WORKER, NOW
    )
    view = health_view(found)

    assert [(p.state, p.since_ms) for p in found.problems] == [
        ("broken", NOW),
        ("blind", NOW - 20_000),
        ("degraded", NOW - 7000),
    ]
    assert all(set(problem) == {"what", "since", "evidence", "link"} for problem in view["problems"])
    assert (view["state"], view["headline"]) == ("broken", f"Broken: {WORKER}: stop (and 2 more)")
