"""What the provider adds is counted by where it was, never by what it said."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.webhooks.kinds import CALL_COMPLETION, CHATBOT_SESSION_END, Kind
from gateway.webhooks.mapping import Envelope
from gateway.webhooks.unknowns import MAX_NAMES, OTHER, Found, Unknowns
from tests.support.deliveries import CHATBOT_SESSION, example, to_body, with_detail
from tests.support.door import open_door
from tests.support.kinds import SAMPLES, SERVED
from tests.support.requests import signed

ENVELOPE = Envelope("e" * 64, 7, "hmac-sha256", "k1")


def unknowns(kind: Kind[Any] = CALL_COMPLETION) -> Unknowns:
    return Unknowns(kind.mapping.model, kind.words, kind.shown)


def found(delivery: dict[str, Any], kind: Kind[Any] = CALL_COMPLETION) -> Found:
    return unknowns(kind).find(kind.read(to_body(delivery), ENVELOPE))


@pytest.mark.parametrize("kind", SERVED, ids=lambda kind: kind.name)
def test_what_is_documented_is_not_unknown(kind: Kind[Any]) -> None:
    assert found(SAMPLES[kind.name], kind) == ({}, {})


def test_fields_are_counted_by_their_path_at_every_depth() -> None:
    delivery = example(new_field=1)
    detail = delivery["details"][0]
    detail["new_field"] = detail["question_answer"][0]["score"] = detail["question_answer"][1]["score"] = None
    detail["redail_call"][0]["mos"] = 4.1

    assert found(delivery).fields == {
        "new_field": 1,
        "details.new_field": 1,
        "details.question_answer.score": 2,
        "details.redail_call.mos": 1,
    }


def test_fields_within_a_part_are_counted_by_their_path() -> None:
    session = {**CHATBOT_SESSION, "messages": [{"content": {"type": "text", "url": "x"}}]}

    assert found(session, CHATBOT_SESSION_END).fields == {"messages.content.url": 1}


def test_a_known_field_that_is_null_or_holds_no_text_is_not_unknown() -> None:
    assert found(with_detail(intention_description=None, Variables={"n": 1})) == ({}, {})


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ([], "status"),
        (["details", 0], "details.result"),
        (["details", 0], "details.hangup_type"),
        (["details", 0], "details.ring_type"),
        (["details", 0, "redail_call", 0], "details.redail_call.hangup_type"),
        (["details", 0, "redail_call", 0], "details.redail_call.ring_type"),
        (["details", 0, "question_answer", 0], "details.question_answer.status"),
    ],
)
def test_a_word_that_is_not_listed_is_counted_by_its_field(place: list[Any], path: str) -> None:
    delivery = example()
    target: Any = delivery
    for step in place:
        target = target[step]
    target[path.split(".")[-1]] = "surprise"

    assert found(delivery) == ({}, {path: 1})
    assert path in unknowns().word_paths


@pytest.mark.parametrize("word", [None, "null", "wrongnum"])
def test_every_listed_ring_type_is_known_and_so_is_null(word: str | None) -> None:
    assert found(with_detail(ring_type=word)) == ({}, {})


def test_names_that_are_none_and_names_after_the_first_fifty_are_other() -> None:
    finder = unknowns()

    def fields(**extra: Any) -> dict[str, int]:
        return finder.find(CALL_COMPLETION.read(to_body(example(**extra)), ENVELOPE)).fields

    odd = {"+447700900123": 1, "447700900123": 1, "tel_447700900123": 1, "a b": 1, "x" * 100: 1, "": 1, "名": 1}
    assert fields(**odd) == {OTHER: len(odd)}
    names = [f"new_{number}" for number in range(MAX_NAMES)]
    assert fields(**dict.fromkeys(names, 1)) == dict.fromkeys(names, 1)
    assert fields(one_more=1, new_0=1) == {OTHER: 1, "new_0": 1}


@pytest.mark.parametrize(("mode", "counted"), [("enforce", 1), ("report", 1), ("off", None)])
async def test_only_what_a_verified_sender_sent_is_counted_once(mode: str, counted: float | None) -> None:
    body = to_body(with_detail(ring_type="surprise", new_field="my planted transcript"))
    unsigned = to_body(with_detail(ring_type="surprise", unsigned_field=1))
    async with open_door(signature_mode=mode) as door:
        for _ in range(2):
            await door.post(body)
        await door.post(unsigned, headers={"content-type": "application/json"})
        value = door.gateway.metrics.registry.get_sample_value
        text = (await door.ops.get("/metrics")).text

    kind = CALL_COMPLETION.name
    assert value("webhook_unknown_fields_total", {"kind": kind, "field": "details.new_field"}) == counted
    assert value("webhook_unknown_words_total", {"kind": kind, "field": "details.ring_type"}) == (counted or 0)
    assert "unsigned_field" not in text
    assert "surprise" not in text
    assert "planted" not in text


async def test_nothing_is_counted_of_a_callback_that_was_not_stored() -> None:
    body = to_body(with_detail(new_field=1))
    async with open_door() as door:
        door.publisher.fault = "Kafka: away"
        await door.post(body, headers=signed(body))
        door.publisher.fault = ""
        await door.post(body, headers=signed(body))

        labels = {"kind": CALL_COMPLETION.name, "field": "details.new_field"}
        assert door.gateway.metrics.registry.get_sample_value("webhook_unknown_fields_total", labels) == 1
