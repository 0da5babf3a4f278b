"""Each known poison pill, by name: it costs its own record, and what comes behind it is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from schemas.codec import encode
from schemas.placement import partition_of
from schemas.records.outcomes import QuestionState
from schemas.records.webhooks import Callback
from schemas.topics import (
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    REKEYED_DETAILS,
    WORKFLOW_OUTCOMES,
)
from streams.errors import StateError
from streams.rules.bounds import MAX_QUESTIONS, MAX_WORDS, bounded, cut
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import WORKFLOW
from streams.rules.dispositions import question_state
from streams.worker import run_agent
from tests.support.agents import Agents
from tests.support.records import callback, change, detail, outcome, question, redial

KEY = b"call-1"


@pytest.fixture
async def agents() -> AsyncIterator[Agents]:
    agents = Agents(partitions=1)
    await agents.start()
    yield agents
    await agents.registry.aclose()


def told(number: int, *details: Any, **changes: Any) -> Callback:
    return callback(*details, **{"event_id": f"{number:064x}", **changes})


def letters(agents: Agents) -> list[Any]:
    return [read.value for read in agents.outputs(DEAD_LETTERS)[DEAD_LETTERS.name]]


def window(agents: Agents) -> Any:
    return agents.outputs(WORKFLOW_OUTCOMES)[WORKFLOW_OUTCOMES.name][-1].value


async def test_a_call_sent_36_times_with_words_of_a_megabyte_keeps_a_row_that_fits(agents: Agents) -> None:
    for number in range(36):
        large = detail(result_label=f"{number}" + "x" * 853_000, question_answer=[question("q" * 200_000)])
        agents.write(CALLBACKS, KEY, told(number, large))
    await agents.process_all()

    assert letters(agents) == []
    assert agents.largest["calls"] < 50_000
    assert (window(agents).calls, len(window(agents).result_labels)) == (1, 1)


async def test_a_call_at_every_bound_keeps_a_row_that_fits_however_often_it_is_corrected(agents: Agents) -> None:
    questions = [question(f"{number:03}" + "é" * 400) for number in range(MAX_QUESTIONS)]
    for number in range(34):
        agents.write(CALLBACKS, KEY, told(number, detail(result_label=str(number), question_answer=questions)))
    await agents.process_all()

    assert letters(agents) == []
    assert len(window(agents).questions) == MAX_QUESTIONS


async def test_a_window_of_huge_words_is_cut_and_one_of_too_many_counts_other(agents: Agents) -> None:
    for number in range(12):
        agents.write(
            CALLBACKS, KEY, told(number, detail(call_id=f"h{number}", result_label=f"{number}" + "y" * 500_000))
        )
    for number in range(MAX_WORDS):
        agents.write(CALLBACKS, KEY, told(100 + number, detail(call_id=f"c{number}", result_label=f"label {number}")))
    await agents.process_all()

    labels = window(agents).result_labels
    assert (window(agents).calls, sum(labels.values())) == (MAX_WORDS + 12, MAX_WORDS + 12)
    assert (len(labels), labels["other"], window(agents).overflow) == (MAX_WORDS + 1, 12, {"result_labels": 12})
    assert agents.metrics.overflow.labels(WORKFLOW.table, "result_labels")._value.get() == 12


async def test_a_word_other_that_was_sent_is_distinguished_from_what_overflowed(agents: Agents) -> None:
    for number in range(MAX_WORDS + 5):
        agents.write(CALLBACKS, KEY, told(number, detail(call_id=f"c{number}", result_label=f"label {number}")))
    for number in range(3):
        agents.write(CALLBACKS, KEY, told(9000 + number, detail(call_id=f"o{number}", result_label="other")))
    await agents.process_all()

    assert (window(agents).result_labels["other"], window(agents).overflow) == (8, {"result_labels": 5})


def test_what_fell_into_other_is_taken_out_of_other_also_after_names_came_free() -> None:
    counts, first = OutcomeCounts(), outcome(result_label="first")
    counts.add(first, by_workflow=True)
    for number in range(MAX_WORDS):
        counts.add(outcome(result_label=f"{number}"), by_workflow=True)
    full = counts.fields()
    late = outcome(result_label="l" * 1000, questions=[QuestionState(question_name="Q", state="skipped")])
    counts.add(late, by_workflow=True)
    counts.remove(first, by_workflow=True)
    counts.remove(late, by_workflow=True)
    counts.add(first, by_workflow=True)

    assert counts.fields() == full


@pytest.mark.parametrize("received_at", [2**55, -1, 0, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("details", [1, 2])
async def test_an_impossible_receipt_is_a_dead_letter(received_at: int, details: int, agents: Agents) -> None:
    some = [detail(call_id=f"c{number}") for number in range(details)]
    agents.write(CALLBACKS, KEY, told(1, *some, received_at=received_at))
    agents.write(REKEYED_DETAILS, KEY, told(2, *some, received_at=received_at))
    agents.write(CALLBACKS, KEY, told(3))
    await agents.process_all()

    assert [letter.reason for letter in letters(agents)] == ["invalid"] * 2
    assert [read.key for read in agents.outputs(CALLS)[CALLS.name]] == ["call-1"]


async def test_a_record_of_twenty_megabytes_is_a_dead_letter_that_says_what_was_cut(agents: Agents) -> None:
    agents.append(CALLBACKS.name, 0, b"k", b"x" * 20 * 1024 * 1024)
    agents.append(CALLBACKS.name, 0, b"k" * 8_000_000, None, [("h" * 9_000_000, None)])
    agents.write(CALLBACKS, KEY, told(3))
    await agents.process_all()

    assert [(letter.is_cut, letter.value_bytes) for letter in letters(agents)] == [(True, 20 * 1024 * 1024), (True, 0)]
    assert window(agents).calls == 1


async def test_ids_that_no_call_has_are_a_dead_letter_and_are_not_copied(agents: Agents) -> None:
    many = [detail(call_id=f"c{number}") for number in range(1000)]
    agents.write(CALLBACKS, KEY, told(1, *many, workflow_id="w" * 400_000))
    agents.write(CALLBACKS, KEY, told(2, *many, extra={"x": "y" * 400_000}))
    agents.write(CALLBACKS, KEY, told(3, detail(call_id="c" * 1001), detail(call_id="fine")))
    await agents.process_all()

    assert [letter.reason for letter in letters(agents)] == ["too_large"] * 3
    assert [read.key for read in agents.outputs(CALLS)[CALLS.name]] == ["fine"]


@pytest.mark.parametrize(
    "large",
    [
        detail(question_answer=[question()] * 300_000),
        detail(redial_calls=[redial()] * 50_000),
        detail(case_id="c" * 200_000, question_answer=[question()] * MAX_QUESTIONS),
    ],
    ids=["questions", "redials", "a long id in each answer"],
)
async def test_a_call_that_leads_to_too_much_is_a_dead_letter_and_no_row(large: Any, agents: Agents) -> None:
    agents.append(CALLBACKS.name, 0, KEY, encode(1, told(1, large)))
    await agents.process_all()

    assert [letter.reason for letter in letters(agents)] == ["too_large"]
    assert agents.tables["calls"].rows == {}


async def test_many_large_products_are_handed_over_in_parts(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.worker.calls_agent.UNIT_BYTES", 1_000_000)
    some = [detail(call_id=f"c{number}") for number in range(20)]
    for number in range(10):
        agents.write(CALLBACKS, KEY, told(number, *some, extra={"x": "y" * 20_000}))
    before = agents.units
    await agents.process_all()

    assert agents.units - before > 4
    assert run_agent.UNIT_BYTES < 64 * 1024 * 1024
    assert window(agents).calls == 20


@pytest.mark.parametrize("topic", [OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE], ids=["workflow", "line"])
@pytest.mark.parametrize("key", [None, b"\xff\xfe", b"k" * 4_001], ids=["no key", "no text", "long"])
async def test_a_change_without_a_workflow_or_line_is_a_dead_letter(topic: Any, key: bytes, agents: Agents) -> None:
    agents.append(topic.name, 0, key, agents.registry.encode(topic, change()))
    await agents.process_all()

    assert [letter.reason for letter in letters(agents)] == ["invalid"]


async def test_a_foreign_late_call_does_not_reach_the_public_topic(agents: Agents) -> None:
    long_ago = change(added=outcome(ended_at=1), call=b"no call of ours", received_at=change().received_at)
    for key_offset in range(3):
        stranger = structs.replace(long_ago, source_partition=0, source_offset=key_offset, is_event_time_trusted=True)
        near = structs.replace(stranger, added=outcome(), call=None, source_offset=100 + key_offset)
        agents.append(OUTCOMES_BY_WORKFLOW.name, 0, b"wf", agents.registry.encode(OUTCOMES_BY_WORKFLOW, near))
        late = structs.replace(stranger, source_offset=200 + key_offset)
        agents.append(OUTCOMES_BY_WORKFLOW.name, 0, b"wf", agents.registry.encode(OUTCOMES_BY_WORKFLOW, late))
    await agents.process_all()

    assert agents.topics["airudder.late-calls.v1"] == {}


async def test_a_row_on_disk_that_cannot_be_read_ends_the_worker_with_the_way_out(agents: Agents) -> None:
    agents.tables["calls"].rows[0] = {KEY: b"\x00" * 20}
    agents.write(CALLBACKS, KEY, told(1))

    with pytest.raises(StateError, match=r"table calls, partition 0: .*STREAMS_DATA_DIR.*changelogs have every row"):
        await agents.process_all()
    assert letters(agents) == []


async def test_a_disk_that_cannot_be_read_stops_the_start_in_the_same_way(agents: Agents) -> None:
    table = agents.tables[WORKFLOW.table]
    table.rows[0] = {b"kwf-1": b"\x00" * 20}

    with pytest.raises(StateError, match="table workflow"):
        await agents.agents[OUTCOMES_BY_WORKFLOW.name].load({0})  # type: ignore[attr-defined]


def test_two_long_words_stay_two_and_a_cut_one_stays_as_it_is() -> None:
    one, other = cut("é" * 500 + "1"), cut("é" * 500 + "2")

    assert one != other
    assert len(one.encode()) <= 128
    assert cut(one) == one
    assert bounded(bounded(outcome(result="r" * 900))) == bounded(outcome(result="r" * 900))


async def test_huge_words_and_keys_are_not_remembered(agents: Agents) -> None:
    remembered = partition_of.cache_info().currsize
    for number in range(20):
        agents.append(CALLBACKS.name, 0, f"{number}".encode() * 100_000, b"no record")
        agents.write(CALLBACKS, KEY, told(number, detail(call_id=f"{number}" * 100_000)))
    await agents.process_all()

    assert len(letters(agents)) == 40
    assert partition_of.cache_info().currsize <= remembered + 1
    assert (question_state.cache_info().maxsize or 0) in range(1, 65), "each may hold a megabyte"
