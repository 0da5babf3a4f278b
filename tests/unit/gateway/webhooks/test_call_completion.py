"""Reading callbacks: what is kept, what is refused, and by which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import Fault, MalformedBodyError
from gateway.webhooks.lenient import MAX_FAULTS
from schemas.records.webhooks import Callback
from tests.support.deliveries import EXAMPLE, example, to_body, with_detail
from tests.support.provider import provider_json, read_callback


def read(body: bytes) -> Callback:
    return read_callback(body, event_id="e" * 64, received_at=7, signature_scheme="hmac-md5", signature_key_id="k1")


def faults_of(body: bytes) -> list[Fault]:
    with pytest.raises(MalformedBodyError) as caught:
        read(body)
    return caught.value.faults


def with_redial(**changes: Any) -> dict[str, Any]:
    delivery = example()
    delivery["details"][0]["redail_call"][0].update(changes)
    return delivery


def with_question(**changes: Any) -> dict[str, Any]:
    delivery = example()
    delivery["details"][0]["question_answer"][0].update(changes)
    return delivery


def without(*path: Any) -> dict[str, Any]:
    delivery = example()
    target: Any = delivery
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return delivery


def test_the_providers_example_becomes_a_record_with_our_names() -> None:
    callback = read(to_body(EXAMPLE))

    detail = callback.details[0]
    assert (callback.event_id, callback.received_at, callback.kind) == ("e" * 64, 7, "call-completion")
    assert (callback.signature_scheme, callback.signature_key_id) == ("hmac-md5", "k1")
    assert (detail.ner_slots or {})["PaymentMethod"] == "Transfer"
    assert (detail.event_label or {})["A0"] == "A0"
    assert (detail.case_id, (detail.variables or {})["name"]) == ("", "lyn")
    assert (detail.redial_calls or [])[0].call_id == "icea62exxxxxxxxxx70982a5c2f7"
    assert (detail.question_answer or [])[0].question_content == r"\u610f\u613f\u786e\u8ba4 Willingness Check"
    assert not callback.extra


def test_the_slow_path_gives_the_same_record_and_keeps_what_it_does_not_know() -> None:
    plain, with_more = read(to_body(EXAMPLE)), read(to_body(example(new_field=[1, {"a": 1.50}])))

    assert with_more.details == plain.details
    assert with_more.extra == {"new_field": json.dumps([1, {"a": 1.5}], indent=2).replace("\n", "\n  ")}


def test_unknown_fields_are_kept_at_every_depth() -> None:
    delivery = with_redial(b=None)
    delivery["details"][0]["c"] = "x"
    delivery["details"][0]["question_answer"][1]["d"] = 1e-7

    detail = read(to_body(delivery)).details[0]

    assert detail.extra == {"c": '"x"'}
    assert (detail.redial_calls or [])[0].extra == {"b": "null"}
    assert (detail.question_answer or [])[1].extra == {"d": "1e-07"}


def test_numbers_of_unknown_fields_keep_every_digit() -> None:
    body = to_body(example(n="@")).replace(b'"@"', b"0.10000000000000000000000000001")

    assert read(body).extra == {"n": "0.10000000000000000000000000001"}


@pytest.mark.parametrize("name", ["NerSlots", "EventLabel", "caller_number", "intention_description", "redail_call"])
def test_an_optional_field_may_be_null_or_missing_and_the_difference_is_kept(name: str) -> None:
    null, missing = with_detail(**{name: None}), without("details", 0, name)

    assert read(to_body(null)).details[0].extra == {name: "null"}
    assert read(to_body(missing)).details[0].extra == {}
    assert provider_json(read(to_body(null))) == null
    assert provider_json(read(to_body(missing))) == missing


def test_ring_type_may_be_null_or_the_word_null() -> None:
    assert read(to_body(with_detail(ring_type=None))).details[0].ring_type is None
    assert read(to_body(with_detail(ring_type="null"))).details[0].ring_type == "null"
    assert provider_json(read(to_body(with_detail(ring_type=None)))) == with_detail(ring_type=None)


def test_words_that_the_provider_may_add_are_accepted() -> None:
    delivery = with_detail(ring_type="voicemail", result="odd", hangup_type="ByMoon")
    delivery["status"] = "sleeping"

    assert provider_json(read(to_body(delivery))) == delivery


def test_map_values_that_are_not_text_are_given_as_json_text_and_kept_whole() -> None:
    delivery = with_detail(NerSlots={"n": 1, "s": "a", "o": {"x": [True]}, "z": None}, Variables={"f": 1.5})

    detail = read(to_body(delivery)).details[0]

    assert detail.ner_slots == {"n": "1", "s": "a", "o": detail.ner_slots["o"], "z": "null"}  # type: ignore[index]
    assert json.loads(detail.ner_slots["o"]) == {"x": [True]}
    assert detail.variables == {"f": "1.5"}
    assert set(detail.extra) == {"NerSlots", "Variables"}
    assert provider_json(read(to_body(delivery))) == delivery


def test_nothing_is_required_of_a_redial_or_a_question() -> None:
    delivery = with_detail(redail_call=[{}], question_answer=[{}])

    assert provider_json(read(to_body(delivery))) == delivery


def test_a_callback_without_calls_is_a_callback() -> None:
    assert read(to_body(example(details=[]))).details == []


def test_the_last_of_duplicate_keys_wins() -> None:
    body = to_body(EXAMPLE).replace(b'"status": "calling"', b'"status": 1, "status": "first", "status": "last"', 1)

    assert read(body).status == "last"


@pytest.mark.parametrize(
    ("delivery", "path", "message"),
    [
        (without("workflow_id"), "workflow_id", "missing"),
        (without("details"), "details", "missing"),
        (without("details", 0, "call_id"), "details[0].call_id", "missing"),
        (example(workflow_id=None), "workflow_id", "expected string or integer, got null"),
        (example(workflow_id=True), "workflow_id", "expected string or integer, got boolean"),
        (example(workflow_id=5.0), "workflow_id", "expected string or integer, got number"),
        (example(workflow_id=["5"]), "workflow_id", "expected string or integer, got array"),
        (with_detail(call_id=None), "details[0].call_id", "expected string or integer, got null"),
        (with_detail(call_id=1e3), "details[0].call_id", "expected string or integer, got number"),
        (with_detail(call_id={}), "details[0].call_id", "expected string or integer, got object"),
        (with_detail(call_id=""), "details[0].call_id", "expected string or integer, got an empty string"),
        (example(details={}), "details", "expected array, got object"),
        (example(details=None), "details", "expected array, got null"),
        (example(details=[1]), "details[0]", "expected object, got number"),
        (example(details=[*EXAMPLE["details"], None]), "details[1]", "expected object, got null"),
    ],
)
def test_what_is_no_callback_is_named_by_its_path_and_type(delivery: dict[str, Any], path: str, message: str) -> None:
    assert faults_of(to_body(delivery)) == [Fault(path, message)]


def test_every_fault_is_named_at_once_and_no_value_is_repeated() -> None:
    delivery = without("workflow_id")
    delivery["details"] = [{"call_id": {"callee": 447700900123}}, {"call_id": 4}, {"call_id": ["secret"]}]

    faults = faults_of(to_body(delivery))

    assert {fault.path for fault in faults} == {"workflow_id", "details[0].call_id", "details[2].call_id"}
    assert "447700900123" not in str(faults)
    assert "secret" not in str(faults)


def test_a_body_full_of_faults_gets_a_bounded_answer() -> None:
    assert len(faults_of(to_body(example(details=[1] * 10_000)))) == MAX_FAULTS


VALID = to_body(EXAMPLE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        VALID + b"x",
        VALID[:-1],
        b"\xef\xbb\xbf" * 2 + VALID,
        VALID.decode().encode("utf-16"),
        VALID.replace(b"lyn", b"l\xffn", 1),
        VALID.replace(b'"lyn"', b'"\\ud800"', 1),
        VALID.replace(b'"lyn"', b'"\\ud800 and more text after it"', 1),
        VALID.replace(b'"lyn"', b'{"deep": "\\udfff and more text"}', 1),
        VALID.replace(b'"lyn"', b"NaN", 1),
        VALID.replace(b'"lyn"', b"Infinity", 1),
        VALID.replace(b'"lyn"', b"-Infinity", 1),
        VALID.replace(b'"lyn"', b"1e400, NaN", 1),
        VALID.replace(b'"lyn"', b"0" * 10_000, 1),
        VALID.replace(b'"lyn"', b"[" * 100_000, 1),
        VALID.replace(b'"lyn"', b"[" * 100 + b"]" * 100, 1),
        VALID.replace(b'"lyn"', b'{"a":' * 30_000 + b"1" + b"}" * 30_000, 1),
        b"[" * 500_000,
        b'{"a":' * 200_000,
    ],
)
def test_what_is_not_readable_json_is_refused_and_never_crashes(body: bytes) -> None:
    assert faults_of(body)


def test_nesting_up_to_the_limit_is_kept() -> None:
    delivery = example(nested=json.loads("[" * 60 + "]" * 60))

    assert provider_json(read(to_body(delivery))) == delivery


def test_integers_of_known_fields_fit_64_bits_and_others_may_be_larger() -> None:
    delivery = with_detail(id=2**63 - 1, big=10**300)

    assert provider_json(read(to_body(delivery))) == delivery
