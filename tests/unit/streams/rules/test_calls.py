"""Each record about a call is decided on once: repeats change nothing, corrections count up, crashes do not matter."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from schemas.records.outcomes import CallOutcome
from schemas.topics import CALLBACKS, REKEYED_DETAILS
from streams.rules.calls import (
    MAX_DECISIONS,
    MAX_DELIVERIES,
    CallState,
    Decision,
    Ignored,
    SourcePosition,
    decide,
    delivery_of,
    note_delivery,
    remember,
)
from tests.support.records import outcome


class Told(NamedTuple):
    """One record about the call: where it was read, in which delivery it came, what it says."""

    position: SourcePosition
    delivery: str
    content: str
    call_times: int | None = None


def result(content: str) -> CallOutcome:
    return outcome(result=content)


def take(state: CallState, told: Told) -> Decision | None:
    """What the agent does with a record, as far as the state goes."""
    digest = told.content.encode()
    decision = decide(state, told.position, told.delivery, digest, told.call_times)
    if isinstance(decision, Ignored):
        note_delivery(state, told.delivery)
        return None
    remember(
        state, decision, told.delivery, digest, result(told.content), told.position.offset, call_times=told.call_times
    )
    return decision


def told(offset: int, content: str, delivery: str = "", source: int = 0, call_times: int | None = None) -> Told:
    return Told(SourcePosition(source, offset), delivery or f"delivery-{source}-{offset}", content, call_times)


FIRST = told(1, "a")


def after(*history: Told) -> CallState:
    state = CallState()
    for record in history:
        take(state, record)
    return state


def test_the_first_record_of_a_call_is_revision_1_and_replaces_nothing() -> None:
    assert Decision(0, 1, 1, None) == take(CallState(), FIRST)


def test_equal_content_in_another_delivery_is_a_repeat() -> None:
    assert take(after(FIRST), told(2, "a")) is None


def test_the_same_delivery_at_another_place_of_the_topic_is_a_repeat() -> None:
    assert take(after(FIRST), told(2, "a", FIRST.delivery)) is None


def test_other_content_is_the_next_revision_and_replaces_the_outcome_before() -> None:
    assert Decision(0, 2, 2, result("a"), FIRST.position) == take(after(FIRST), told(2, "b"))


def test_a_delivery_seen_before_changes_nothing_after_a_correction() -> None:
    state = after(FIRST, told(2, "b"))

    assert take(state, told(3, "a", FIRST.delivery)) is None
    assert (state.revision, state.outcome) == (2, result("b"))


def test_a_delivery_that_was_only_a_repeat_changes_nothing_after_a_correction_either() -> None:
    repeat = told(2, "a")
    state = after(FIRST, repeat, told(3, "b"))

    assert take(state, told(4, "a", repeat.delivery)) is None


def test_content_that_comes_back_in_a_new_delivery_is_a_correction() -> None:
    assert Decision(0, 3, 3, result("b"), SourcePosition(0, 2)) == take(after(FIRST, told(2, "b")), told(3, "a"))


@pytest.mark.parametrize(
    ("why", "counted", "told_now", "is_taken"),
    [
        ("fewer dials", [2], 1, False),
        ("as many", [2], 2, True),
        ("more", [2], 3, True),
        ("none, as a call cancelled before its first dial", [1], 0, False),
        ("it does not tell", [2], None, True),
        ("none told so far", [None], 1, True),
        ("no number of dials, and none counted", [], -1, True),
        ("no number of dials", [2], -1, True),
        ("after what was no number of dials", [-5], -7, True),
        ("fewer than before one that did not tell", [3, None], 2, False),
    ],
)
def test_a_report_of_fewer_dials_than_the_one_counted_changes_nothing(
    why: str, counted: list[int | None], told_now: int | None, is_taken: bool
) -> None:
    state = after(*(told(n, f"content {n}", call_times=times) for n, times in enumerate(counted)))
    before = (state.revision, state.outcome, state.digest)
    stale = told(9, "other", call_times=told_now)

    decision = decide(state, stale.position, stale.delivery, b"other", stale.call_times)

    assert isinstance(decision, Decision) == is_taken, why
    assert is_taken or decision is Ignored.STALE
    take(state, stale)
    assert ((state.revision, state.outcome, state.digest) == before) == (not is_taken)


def test_a_stale_report_is_stale_each_time_it_is_read_and_known_as_seen() -> None:
    state = after(told(1, "final", call_times=2))
    stale = told(2, "early", call_times=1)

    assert [take(state, stale), take(state, stale)] == [None, None]
    assert take(state, told(3, "even later", call_times=2)) is not None
    assert stale.delivery in state.deliveries


def test_a_record_read_again_gets_its_decision_back_also_after_a_correction() -> None:
    first, second = told(1, "a"), told(2, "b")
    state = CallState()
    decisions = [take(state, first), take(state, second)]

    assert decisions == [take(state, first), take(state, second)]
    assert (state.revision, state.outcome) == (2, result("b"))


def test_reading_again_leaves_the_state_as_it_is() -> None:
    history = [told(1, "a"), told(2, "a"), told(3, "b")]
    state = after(*history)
    before = msgpack.encode(state)

    for record in history:
        take(state, record)

    assert before == msgpack.encode(state)


def test_twins_in_one_delivery_with_equal_content_are_one_call() -> None:
    first, twin = told(5, "a", delivery_of("e" * 64, 0)), told(5, "a", delivery_of("e" * 64, 1), source=1)

    state = after(first)

    assert take(state, twin) is None
    assert state.revision == 1


def test_twins_in_one_delivery_with_other_content_are_two_revisions() -> None:
    state = after(told(5, "a", delivery_of("e" * 64, 0)))

    assert Decision(1, 5, 2, result("a"), SourcePosition(0, 5)) == take(
        state, told(5, "b", delivery_of("e" * 64, 1), source=1)
    )


def test_the_same_offset_of_another_source_is_another_record() -> None:
    state = after(told(5, "a"))

    assert Decision(3, 5, 2, result("a"), SourcePosition(0, 5)) == take(state, told(5, "b", source=3))


def test_each_partition_of_both_topics_is_a_source_of_its_own() -> None:
    places = [(topic.name, partition) for partition in range(12) for topic in (CALLBACKS, REKEYED_DETAILS)]
    positions = [SourcePosition.of(*place, 7) for place in places]

    assert len({position.source for position in positions}) == 24
    assert [(position.topic, position.partition) for position in positions] == places


def test_deciding_does_not_remember() -> None:
    state = CallState()
    decide(state, SourcePosition(0, 1), "d", b"a")

    assert CallState() == state


def test_every_change_of_the_state_moves_its_version_forward() -> None:
    state = CallState()
    versions = [state.version]
    for record in (told(1, "a"), told(2, "a"), told(3, "b")):
        take(state, record)
        versions.append(state.version)

    assert sorted(set(versions)) == versions


def test_the_latest_receipt_is_kept_whatever_the_order() -> None:
    assert after(told(9, "a"), told(4, "b", source=1)).received_at == 9


@pytest.mark.parametrize("corrections", [MAX_DECISIONS, MAX_DELIVERIES, 200])
def test_a_call_corrected_without_end_keeps_a_bounded_state(corrections: int) -> None:
    state = after(*(told(offset, str(offset)) for offset in range(corrections)))

    assert len(state.decisions) == MAX_DECISIONS
    assert len(state.deliveries) <= MAX_DELIVERIES
    assert state.revision == corrections


def test_the_latest_decisions_are_those_that_can_be_asked_for_again() -> None:
    history = [told(offset, str(offset)) for offset in range(MAX_DECISIONS + 5)]
    state = after(*history)

    again = [take(state, record) for record in history[-MAX_DECISIONS:]]

    assert [decision.revision for decision in again if decision] == list(range(6, MAX_DECISIONS + 6))


# -- random histories

RECORDS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.sampled_from(["", "d1", "d2"])), min_size=1, max_size=14
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.just("publish"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("commit"), st.just(0), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 9), st.just(0)),
    ),
    max_size=40,
)


class Simulation:
    """An agent reading several sources of one call: rows durable, then outputs, then offsets; crashes lose the rest."""

    def __init__(self, sources: list[list[Told]]) -> None:
        self.sources = sources
        self.state = CallState()
        self.read = [0] * len(sources)
        self.committed = [0] * len(sources)
        self.rows = [msgpack.encode(self.state)]  # the changelog; the first `durable` rows are safe for sure
        self.durable = 1
        self.unpublished: list[tuple[int, Told, Decision | None]] = []  # with the number of rows it waits for
        self.published: dict[SourcePosition, list[Decision]] = {}

    def take(self, source: int, count: int) -> None:
        for record in self.sources[source][self.read[source] :][:count]:
            decision = take(self.state, record)
            self.rows.append(msgpack.encode(self.state))
            self.unpublished.append((len(self.rows), record, decision))
            self.read[source] += 1

    def publish(self, count: int) -> None:
        for rows, record, decision in self.unpublished[:count]:
            self.durable = max(self.durable, rows)
            if decision is not None:
                self.published.setdefault(record.position, []).append(decision)
        del self.unpublished[:count]

    def commit(self) -> None:
        """Only what is published may be committed; records of one source are published in order."""
        waiting = {record.position for _, record, _ in self.unpublished}
        for number, records in enumerate(self.sources):
            done = [record.position not in waiting for record in records[: self.read[number]]]
            self.committed[number] = max(self.committed[number], [*done, False].index(False))

    def crash(self, lost: int) -> None:
        """The rows that were not safe are lost from the end; what was not committed is read again."""
        del self.rows[max(self.durable, len(self.rows) - lost) :]
        self.durable = len(self.rows)
        self.state = msgpack.decode(self.rows[-1], type=CallState)
        self.read = list(self.committed)
        self.unpublished.clear()

    def finish(self) -> None:
        for source in range(len(self.sources)):
            self.take(source, 100)
        self.publish(100)


@settings(max_examples=200)
@given(RECORDS, STEPS)
def test_crashes_and_replays_give_every_record_the_decision_it_had(
    records: list[tuple[int, str, str]], steps: list[tuple[str, int, int]]
) -> None:
    sources: list[list[Told]] = [[], [], []]
    for source, content, delivery in records:
        offset = len(sources[source])
        sources[source].append(told(offset, content, delivery and f"{delivery}-{content}", source))
    simulation = Simulation(sources)
    for name, one, other in steps:
        match name:
            case "read":
                simulation.take(one, other)
            case "publish":
                simulation.publish(one)
            case "commit":
                simulation.commit()
            case _:
                simulation.crash(one)
    simulation.finish()

    decisions = {position: decided[0] for position, decided in simulation.published.items()}
    assert all(again == decided[0] for decided in simulation.published.values() for again in decided)
    in_order = sorted(decisions.values(), key=lambda decision: decision.revision)
    assert [decision.revision for decision in in_order] == list(range(1, simulation.state.revision + 1))
    contents = {record.position: record.content for records in sources for record in records}
    outcomes = [result(contents[SourcePosition(decision.source, decision.offset)]) for decision in in_order]
    assert [decision.replaced for decision in in_order] == [None, *outcomes[:-1]]
    assert simulation.state.outcome == outcomes[-1]
