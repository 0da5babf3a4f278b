"""A run counts only when everything is there: what the benchmark's own oracle lets through, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.record import Record
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    SIP_LINE_OUTCOMES,
    TOPICS,
    WORKFLOW_OUTCOMES,
)
from tests.benchmarks.peers import kafka_streams, report
from tests.benchmarks.peers.broker import calls_in
from tests.benchmarks.peers.checks import Found, faults_in, is_final
from tests.benchmarks.peers.floor_work import FloorWork
from tests.benchmarks.peers.job import Job, Trace, trace_of
from tests.benchmarks.peers.measuring import Run
from tests.benchmarks.peers.runners import BY_NAME, OURS, RUNNERS
from tests.benchmarks.peers.work import Output, Place, SchemaIds

IDS = SchemaIds({topic.name: number for number, topic in enumerate(TOPICS, 1)})
CALLBACKS_MADE = 40
NOW_S = 1_790_000_000.0


@pytest.fixture(scope="module")
def job() -> Job:
    return Job.make(CALLBACKS_MADE, 8, IDS, now_s=NOW_S)


def found_by(job: Job) -> Found:
    """What a perfect runner leaves: the floor's own functions, fed record by record."""
    work = FloorWork(Place("", "", Path(), IDS), windows=True)
    outputs: list[Output] = []
    for offset, record in enumerate(job.inputs):
        outputs += work.take(CALLBACKS.name, 0, offset, record.key, record.value, record.headers)
    results: list[Output] = []
    for topic in (OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name):
        for offset, change in enumerate(output for output in outputs if output.topic == topic):
            work.take(topic, 0, offset, change.key, change.value, change.headers)
        results += work.results(topic, 0)
    windows: dict[str, dict[str, int]] = {WORKFLOW_OUTCOMES.name: {}, SIP_LINE_OUTCOMES.name: {}}
    for result in results:
        windows[result.topic][result.key.decode()] = calls_in(result.value)
    traces = [
        trace_of(output.topic, dict(output.headers)["ce_id"].decode(), output.key, output.value)
        for output in outputs
        if output.topic in (CALLS.name, ANSWERS.name, CALL_ATTEMPTS.name)
    ]
    return Found(traces, windows)


def drop_a_window_update(found: Found) -> None:
    key = next(iter(found.windows[SIP_LINE_OUTCOMES.name]))
    found.windows[SIP_LINE_OUTCOMES.name][key] -= 1


def drop_a_window(found: Found) -> None:
    found.windows[WORKFLOW_OUTCOMES.name].popitem()


def drop_a_record(found: Found) -> None:
    found.outputs.pop()


def count_a_call_twice(found: Found) -> None:
    key = next(iter(found.windows[WORKFLOW_OUTCOMES.name]))
    found.windows[WORKFLOW_OUTCOMES.name][key] += 1


def count_a_call_in_another_window(found: Found) -> None:
    first, second, *_ = found.windows[WORKFLOW_OUTCOMES.name]
    found.windows[WORKFLOW_OUTCOMES.name][first] -= 1
    found.windows[WORKFLOW_OUTCOMES.name][second] += 1


def write_a_record_twice(found: Found) -> None:
    found.outputs.append(found.outputs[0])


def change_a_byte(found: Found) -> None:
    topic, ce_id, _ = found.outputs[0]
    found.outputs[0] = Trace(topic, ce_id, b"otherwise")


def test_a_run_that_left_everything_counts(job: Job) -> None:
    assert faults_in(found_by(job), job.expected(CALLBACKS_MADE)) == []


@pytest.mark.parametrize(
    ("break_it", "can_be_waited_for"),
    [
        (drop_a_window_update, True),
        (drop_a_window, True),
        (drop_a_record, True),
        (count_a_call_twice, False),
        (count_a_call_in_another_window, False),
        (write_a_record_twice, False),
        (change_a_byte, False),
    ],
)
def test_a_run_that_left_anything_else_does_not(
    job: Job, break_it: Callable[[Found], None], can_be_waited_for: bool
) -> None:
    found = found_by(job)

    break_it(found)

    faults = faults_in(found, job.expected(CALLBACKS_MADE))
    assert faults != []
    assert is_final(faults) is not can_be_waited_for


def test_every_callback_gives_eleven_records_and_one_call_in_both_windows(job: Job) -> None:
    expected = job.expected(CALLBACKS_MADE)

    assert len(expected.outputs) == 11 * CALLBACKS_MADE
    assert {topic: sum(windows.values()) for topic, windows in expected.windows.items()} == {
        WORKFLOW_OUTCOMES.name: CALLBACKS_MADE,
        SIP_LINE_OUTCOMES.name: CALLBACKS_MADE,
    }


def test_a_shorter_job_is_the_beginning_of_a_longer_one(job: Job) -> None:
    assert job.expected(10).outputs < job.expected(CALLBACKS_MADE).outputs


def test_a_runner_without_windows_is_not_asked_for_them(job: Job) -> None:
    expected = job.expected(CALLBACKS_MADE, windows=False)

    assert not any(expected.windows.values())


def run(runner: str, repetition: int, per_s: int, fault: str = "") -> Run:
    return Run(runner, repetition, callbacks=per_s * 10, seconds=10.0, cpu_s=9.0, rss_mib=100.0, fault=fault)


def test_a_ratio_is_made_within_a_repetition_and_of_runs_that_count() -> None:
    runs = [run(OURS, 1, 200), run("quix", 1, 100), run(OURS, 2, 100), run("quix", 2, 100), run("quix", 3, 1, "late")]

    assert report.ratios_to_ours(runs, "quix") == [2.0, 1.0]


def test_a_runner_that_failed_shows_no_number(tmp_path: Path) -> None:
    runs = [run("faust", 1, 123, "1 of 2 calls are not counted")]

    report.write_json(tmp_path / "out.json", runs, {})

    assert report._cells(runs, "faust")[0] == "FAILED"
    assert json.loads((tmp_path / "out.json").read_text())["runs"][0]["callbacks_per_s"] is None


def test_every_runner_but_ours_says_what_it_does_not_do() -> None:
    assert [runner.name for runner in RUNNERS if runner.less == "-"] == [OURS]
    assert len(BY_NAME) == len(RUNNERS)


@pytest.mark.parametrize("record", [Call, Answer, CallAttempt])
def test_the_java_peer_names_every_field_of_the_records(record: type[Record]) -> None:
    """CI runs no Java: a field that is new in our records would be missed only when the peers are next measured."""
    source = (kafka_streams.SOURCES / "FanOut.java").read_text()

    assert [name for name in record.__struct_fields__ if f'"{name}"' not in source] == []
