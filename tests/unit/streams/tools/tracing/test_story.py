"""What the records of one call say together, also when the worker is in the middle of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    QUARANTINE,
    REKEYED_DETAILS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
    Topic,
)
from streams.tools.tracing.story import Progress, Story, tell
from streams.topics.decoding import Decoded

EVERY = (CALLBACKS, REKEYED_DETAILS, CALLS, ANSWERS, CALL_ATTEMPTS, LATE_CALLS, DEAD_LETTERS, QUARANTINE)
PLACES = {(topic.name, 0): 100 for topic in EVERY}


def record(topic: Topic, offset: int, ce_id: str = "", headers: tuple[Any, ...] = (), **value: Any) -> Decoded:
    stored: Any = SimpleNamespace(
        topic=topic.name,
        partition=0,
        offset=offset,
        timestamp=1_710_163_512_000 + offset,
        key=b"c",
        headers=[("ce_id", (ce_id or f"{topic.name}{offset}").encode()), *headers],
    )
    return Decoded(topic, stored, value)


def story(*records: Decoded, committed: int = 100, windows: bool = True) -> Story:
    found: dict[Topic, list[Decoded]] = {topic: [one for one in records if one.topic is topic] for topic in EVERY}
    window = record(WORKFLOW_OUTCOMES, 0) if windows else None
    progress = Progress(dict.fromkeys(PLACES, committed), PLACES)
    return tell("c", found, {WORKFLOW_OUTCOMES: window, SIP_LINE_OUTCOMES: window}, progress)


def outcomes(told: Story) -> list[str]:
    return [one.outcome for one in told.deliveries]


FIRST = record(CALLBACKS, 10, event_id="e1")
AGAIN = record(CALLBACKS, 11, event_id="e1")
OTHER = record(CALLBACKS, 12, event_id="e2")
ONE = record(CALLS, 5, "r1", revision=1, event_id="e1")
DEAD = record(DEAD_LETTERS, 1, source_topic=CALLBACKS.name, source_partition=0, source_offset=10, reason="x")
TWO = record(CALLS, 6, "r2", revision=2, event_id="e2")


def test_each_delivery_has_what_came_of_it_and_a_record_that_was_sent_twice_is_there_once() -> None:
    told = story(FIRST, AGAIN, OTHER, ONE, TWO, record(CALLS, 9, "r2", revision=2, event_id="e2"))

    assert outcomes(told) == ["revision 1", "duplicate", "revision 2"]
    assert [one.stored.offset for one in told.revisions] == [5, 6]
    assert told.state == "revision 2 holds; its windows are published"


def test_a_delivery_that_the_worker_has_not_reached_says_how_far_behind_it_is() -> None:
    told = story(FIRST, committed=10)

    assert outcomes(told) == ["waiting"]
    assert told.state == (
        "accepted at 2024-03-11T13:25:12Z as airudder.callbacks.v1[0]@10, not yet processed: "
        "the worker has 90 to go in airudder.callbacks.v1[0]"
    )
    assert outcomes(story(FIRST, committed=11)) == ["no change: equal content, or older by its call_times"]


def test_a_later_detail_waits_where_it_was_sent_on_to() -> None:
    told = story(FIRST, record(REKEYED_DETAILS, 60, event_id="e1"), committed=60)

    assert told.state.endswith("the worker has 40 to go in airudder.rekeyed-details.v1[0]")


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ((), "nothing of it was found"),
        ((FIRST,), "processed, but its record has left airudder.calls.v1, or it equals one from before"),
        ((record(QUARANTINE, 1),), "refused by the gateway; see `python -m gateway quarantine show EVENT_ID`"),
        (
            (
                FIRST,
                record(DEAD_LETTERS, 1, source_topic=CALLBACKS.name, source_partition=0, source_offset=10, reason="x"),
            ),
            "could not be processed: x; see dead-letters show",
        ),
        (
            (FIRST, ONE, record(LATE_CALLS, 1, revision=1)),
            "revision 1 holds; it came too late for its workflow's window",
        ),
        (
            (FIRST, record(CALLS, 5, headers=(("synthetic", b"1"),), revision=1, event_id="e1")),
            "revision 1 holds; it is synthetic, so no window counts it",
        ),
    ],
)
def test_the_state_says_where_the_call_stopped(records: tuple[Decoded, ...], state: str) -> None:
    assert story(*records).state == state
    assert story(*records).is_found is bool(records)


def test_only_the_answers_of_the_newest_revision_hold() -> None:
    answers = [record(ANSWERS, n, revision=1 + n % 2, position=9 - n, event_id="e") for n in range(4)]
    told = story(FIRST, OTHER, ONE, TWO, *answers, windows=False)

    assert [(one.value or {})["position"] for one in told.answers] == [6, 8]
    assert told.state.startswith("revision 2 holds; not yet in airudder.workflow-outcomes.v1")
