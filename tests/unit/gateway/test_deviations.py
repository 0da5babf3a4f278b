"""What is a callback, but not as the page has it: 200, kept as it came, counted by path and told once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from gateway.deviations import MAX_NOTES, NOTED_FOR_S, DeviationLog
from gateway.metrics import Metrics
from gateway.webhooks.kinds import CALL_COMPLETION, CHATBOT_SESSION_END, WORKFLOW_STATUS_CHANGE, Kind
from gateway.webhooks.lenient import MISSING, Deviations
from gateway.webhooks.mapping import Envelope
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, QUARANTINE
from tests.support.deliveries import CHATBOT_SESSION, EXAMPLE, STATUS_CHANGE, example, to_body, with_detail
from tests.support.door import open_door
from tests.support.kinds import SAMPLES, SERVED
from tests.support.provider import provider_json
from tests.support.requests import signed

ENVELOPE = Envelope("e" * 64, 7, "hmac-sha256", "k1")


def read(body: bytes, kind: Kind[Any] = CALL_COMPLETION) -> tuple[Any, Deviations]:
    deviations = Deviations(int)
    return kind.read(body, ENVELOPE, deviations), deviations


def detail_of(**changes: Any) -> tuple[Any, Deviations]:
    record, deviations = read(to_body(with_detail(**changes)))
    return record.details[0], deviations


@pytest.mark.parametrize("kind", SERVED, ids=lambda kind: kind.name)
def test_what_is_as_documented_deviates_nowhere(kind: Kind[Any]) -> None:
    assert read(to_body({**SAMPLES[kind.name], "new_field": None}), kind)[1] == {}


@pytest.mark.parametrize("value", [None, "x", 30.0, 2**63, True, [], {}, [{}]], ids=json.dumps)
@pytest.mark.parametrize("name", ["duration", "id"])
def test_an_integer_that_is_none_is_kept_as_sent(name: str, value: Any) -> None:
    detail, deviations = detail_of(**{name: value})

    assert getattr(detail, name) is None
    assert json.loads(detail.extra[name]) == value
    assert [path for path, _ in deviations] == [f"details.{name}"]


@pytest.mark.parametrize(
    ("spelling", "name", "value", "found"),
    [
        ("question_answer", "question_answer", None, "null"),
        ("question_answer", "question_answer", {}, "object"),
        ("question_answer", "question_answer", [{"question_name": "Q0"}, None], "array"),
        ("redail_call", "redial_calls", "none", "string"),
        ("redail_call", "redial_calls", [["a"]], "array"),
        ("Variables", "variables", [], "array"),
        ("NerSlots", "ner_slots", [], "array"),
        ("EventLabel", "event_label", "", "string"),
        ("hangup_type", "hangup_type", None, "null"),
        ("CaseID", "case_id", 17, "number"),
        ("call_end_time", "call_end_time", 1710163512, "number"),
        ("callee", "callee", False, "boolean"),
    ],
)
def test_a_value_of_another_type_leaves_its_field_empty(spelling: str, name: str, value: Any, found: str) -> None:
    detail, deviations = detail_of(**{spelling: value})

    assert getattr(detail, name) is None
    assert json.loads(detail.extra[spelling]) == value
    assert deviations == {(f"details.{spelling}", found): 1}


def test_deviations_are_found_at_every_depth_and_leave_the_rest_as_it_is() -> None:
    delivery = example(status=3)
    del delivery["sip_line"]
    detail = delivery["details"][0]
    detail["question_answer"][0]["var"] = detail["question_answer"][1]["var"] = 200
    del detail["question_answer"][2]["question_name"]
    detail["redail_call"][0]["ring_time"] = "3"

    callback, deviations = read(to_body(delivery))

    assert deviations == {
        ("status", "number"): 1,
        ("sip_line", MISSING): 1,
        ("details.question_answer.var", "number"): 2,
        ("details.question_answer.question_name", MISSING): 1,
        ("details.redail_call.ring_time", "string"): 1,
    }
    assert (callback.status, callback.extra, callback.sip_line) == (None, {"status": "3"}, None)
    (first, second, third, *_) = callback.details[0].question_answer
    assert (first.var, first.extra, first.question_name) == (None, {"var": "200"}, "Q0")
    assert (second.extra, third.question_name, third.extra) == ({"var": "200"}, None, {})
    assert callback.details[0].redial_calls[0].extra == {"ring_time": '"3"'}
    assert provider_json(callback) == delivery


@pytest.mark.parametrize("number", [0, 17, -5, 2**64, 10**4000])
def test_an_integer_may_be_an_id_and_is_kept_as_sent(number: int) -> None:
    delivery = example(workflow_id=number)
    delivery["details"][0]["call_id"] = number

    callback, deviations = read(to_body(delivery))

    detail = callback.details[0]
    assert (callback.workflow_id, detail.call_id) == (str(number), str(number))
    assert (callback.extra, detail.extra) == ({"workflow_id": str(number)}, {"call_id": str(number)})
    assert deviations == {("workflow_id", "number"): 1, ("details.call_id", "number"): 1}
    assert CALL_COMPLETION.key(callback) == str(number)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1" * 400 + ".5", "1" * 10_000, "1E5", "-0.0"])
@pytest.mark.parametrize("name", ["duration", "new_field"])
def test_a_number_of_any_size_is_kept_digit_for_digit(name: str, text: str) -> None:
    body = to_body(with_detail(**{name: "@"})).replace(b'"@"', text.encode())

    callback, _ = read(body)

    assert callback.details[0].extra == {name: text}
    assert provider_json(callback)["details"][0].keys() == {**EXAMPLE["details"][0], name: 0}.keys()


def test_a_byte_order_mark_is_skipped_and_is_no_deviation() -> None:
    body = b"\xef\xbb\xbf" + to_body(EXAMPLE)

    callback, deviations = read(body)

    assert callback == read(to_body(EXAMPLE))[0]
    assert deviations == {}


def test_ring_type_null_is_a_word_and_a_missing_one_deviates() -> None:
    missing = with_detail()
    del missing["details"][0]["ring_type"]

    assert detail_of(ring_type=None)[1] == detail_of(ring_type=None, new_field=1)[1] == {}
    assert detail_of(ring_type=None)[0].extra == {"ring_type": "null"}
    assert read(to_body(missing))[1] == {("details.ring_type", MISSING): 1}
    assert provider_json(read(to_body(missing))[0]) == missing


@pytest.mark.parametrize(
    ("kind", "changes", "paths"),
    [
        (WORKFLOW_STATUS_CHANGE, {"actions": [{"nodetask_id": 1}, 2], "status": None}, {"actions", "status"}),
        (WORKFLOW_STATUS_CHANGE, {"actions": [{"nodetask_id": 1}]}, {"actions.nodetask_id"}),
        (WORKFLOW_STATUS_CHANGE, {"workflow_id": 7, "actions": None}, {"workflow_id", "actions"}),
        (CHATBOT_SESSION_END, {"messages": [{"content": []}], "callee": 1}, {"messages.content", "callee"}),
        (CHATBOT_SESSION_END, {"call_id": 7, "timestamp": "x", "status": {}}, {"call_id", "timestamp", "status"}),
    ],
)
def test_the_other_webhooks_are_read_alike(kind: Kind[Any], changes: dict[str, Any], paths: set[str]) -> None:
    sample = {WORKFLOW_STATUS_CHANGE.name: STATUS_CHANGE, CHATBOT_SESSION_END.name: CHATBOT_SESSION}[kind.name]
    delivery = {**sample, **changes}

    record, deviations = read(to_body(delivery), kind)

    assert {path for path, _ in deviations} == paths
    assert provider_json(record, kind) == delivery


async def test_a_deviating_callback_is_200_published_counted_and_shown_by_readyz() -> None:
    body = to_body(with_detail(question_answer=None, duration="43", call_id=17))
    async with open_door() as door:
        answers = [await door.post(body) for _ in range(2)]
        ready = await door.ops.get("/readyz")
        metrics = (await door.ops.get("/metrics")).text

        (stored,) = door.publisher.records(CALLBACKS)
        assert door.publisher.records(QUARANTINE) == []
        assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"{}")] * 2
        assert isinstance(stored.record, Callback)
        assert (stored.key, provider_json(stored.record)) == ("17", json.loads(body))
        assert ready.status_code == 200
        assert ready.json()["notes"] == [
            "call-completion: details.duration is not as documented: string",
            "call-completion: details.question_answer is not as documented: null",
            "call-completion: details.call_id is not as documented: number",
        ]
        assert (
            'webhook_deviating_fields_total{field="details.duration",found="string",kind="call-completion"} 1'
            in metrics
        )


async def test_what_is_refused_or_not_stored_is_not_counted_as_accepted() -> None:
    async with open_door() as door:
        await door.post(to_body(with_detail(duration="43", call_id=None)))
        door.publisher.fault = "Kafka: away"
        await door.post(to_body(with_detail(duration="43")))

        assert (await door.ops.get("/readyz")).json()["notes"] == []


async def test_a_line_is_logged_once_for_a_path_and_names_no_value() -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_door() as door:
            for number in range(3):
                body = to_body(with_detail(call_id=f"call-{number}", callee=447700900123))
                await door.hook.post(CALL_COMPLETION.path, content=body, headers=signed(body))

    assert [line for line in logs if line["event"] == "callback.deviated"] == [
        {
            "event": "callback.deviated",
            "log_level": "warning",
            "kind": "call-completion",
            "field": "details.callee",
            "found": "number",
        }
    ]
    assert "447700900123" not in json.dumps(logs)


def test_the_missing_fields_of_a_webhook_are_one_note_that_names_them() -> None:
    log = DeviationLog(Metrics(()))
    log.add("k", Deviations(int, {("a", "missing"): 1, ("b", "null"): 1, ("details.c", "missing"): 2}), 0.0)
    log.add("other", Deviations(int, {("a", "missing"): 1}), 0.0)

    assert log.notes(1.0) == [
        "k: b is not as documented: null",
        "k: 2 documented fields are missing: a, details.c",
        "other: 1 documented field is missing: a",
    ]


async def test_a_callback_with_its_ids_only_leaves_one_note() -> None:
    async with open_door() as door:
        await door.post(to_body({"workflow_id": "w", "details": [{"call_id": "c"}]}))
        [note] = (await door.ops.get("/readyz")).json()["notes"]

    assert note.startswith("call-completion: ")
    assert "documented fields are missing: " in note
    assert "details.callee" in note


def test_notes_are_of_the_last_day_the_latest_and_not_too_many() -> None:
    log = DeviationLog(Metrics(()))
    log.add("k", Deviations(int, {("old", "null"): 1, ("again", "null"): 1}), 0.0)
    log.add("k", Deviations(int, {("again", "null"): 1, ("new", "null"): 1}), NOTED_FOR_S)

    assert log.notes(NOTED_FOR_S) == [f"k: {path} is not as documented: null" for path in ("again", "new")]

    log.add("k", Deviations(int, {(f"many{n}", "null"): 1 for n in range(MAX_NOTES)}), NOTED_FOR_S)
    notes = log.notes(NOTED_FOR_S)
    assert len(notes) == MAX_NOTES + 1
    assert notes[-1] == "and 2 more, see webhook_deviating_fields_total"
