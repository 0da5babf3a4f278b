"""A sender that is not as the page says: accepted, kept as sent and rebuilt, or refused by one of a few reasons."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from gateway.errors import MalformedBodyError
from gateway.webhooks import call_completion
from gateway.webhooks.kinds import CALL_COMPLETION, Kind
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope
from schemas import codec
from schemas.records.webhooks import Callback
from streams.errors import ImpossibleCallbackError
from streams.rules.fanout import check, content_digest, fan_out
from tests.support.deliveries import EXAMPLE
from tests.support.kinds import SAMPLES, SERVED
from tests.support.provider import provider_json

PROFILE = profile(max_examples=300)
ENVELOPE = Envelope("e" * 64, 1_710_163_513_250, "hmac-sha256", "k1")
REASONS = re.compile(
    r"\$: (expected JSON: .+|expected UTF-8|expected object, got \w+|nested deeper than 64 levels)"
    r"|workflow_id: (missing|expected string or integer, got (an empty string|\w+))"
    r"|(details\[\d+\]\.)?call_id: (missing|expected string or integer, got (an empty string|\w+))"
    r"|type: (missing|expected string or integer, got (an empty string|\w+))"
    r"|details: (missing|expected array, got \w+)"
    r"|details\[\d+\]: expected object, got \w+"
)

texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["", "30", "30.0", " 7 ", "null", "\0"])
numbers = st.integers() | st.sampled_from([2**63, -(2**63) - 1, 10**400]) | st.floats(allow_nan=False)
scalars = st.none() | st.booleans() | numbers | texts
odd_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys or positions."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [found for key in keys for found in places(node[key])]


def mutate(document: Any, data: st.DataObject) -> None:
    """One change, anywhere: a value dropped, set to null, of another type, put into a list, or doubled."""
    node, key = data.draw(st.sampled_from(places(document)))
    match data.draw(st.sampled_from(["drop", "null", "retype", "nest", "text", "odd", "more"])):
        case "drop":
            del node[key]
        case "null":
            node[key] = None
        case "retype":
            node[key] = {str: 7, int: 7.0, list: {}, dict: []}.get(type(node[key]), "")
        case "nest":
            node[key] = [node[key], data.draw(scalars)]
        case "text":
            node[key] = json.dumps(node[key])
        case "odd":
            node[key] = data.draw(odd_values)
        case _:
            node[key] = node[key] + node[key] if isinstance(node[key], list) else {"new": node[key]}


def as_sent(document: Any, data: st.DataObject) -> bytes:
    """JSON, in one of the ways in which it may be written."""
    body = json.dumps(document, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 1])))
    return b"\xef\xbb\xbf" * data.draw(st.booleans()) + body.replace("Infinity", "1e999").encode()


@pytest.mark.parametrize("kind", SERVED, ids=lambda kind: kind.name)
def test_whatever_is_changed_is_rebuilt_or_refused_by_a_reason_of_the_list(kind: Kind[Any]) -> None:
    @PROFILE
    @given(st.data())
    def check_one(data: st.DataObject) -> None:
        document = copy.deepcopy(SAMPLES[kind.name])
        for _ in range(data.draw(st.integers(1, 4))):
            if places(document):
                mutate(document, data)
        body = as_sent(document, data)
        try:
            record = kind.read(body, ENVELOPE)
        except MalformedBodyError as error:
            assert_are_reasons(error)
            return
        wire = codec.encode(1, record)
        assert codec.encode_by_fastavro(1, record) == wire
        found = codec.decode(wire, codec.parsed_schema(kind.topic.record), type(record))
        assert found == record
        assert provider_json(found, kind) == json.loads(body.decode("utf-8-sig"))
        if isinstance(record, Callback):
            assert_is_fanned_out(record)

    check_one()


def assert_are_reasons(error: MalformedBodyError) -> None:
    """Each fault is one of the list, and some are told."""
    told = [f"{fault.path}: {fault.message}" for fault in error.faults]
    assert [fault for fault in told if not REASONS.fullmatch(fault)] == []
    assert told


def assert_is_fanned_out(callback: Callback) -> None:
    """Whatever the gateway lets in, the worker makes records of, or a dead letter that says why."""
    try:
        detail = check(callback)
        if detail is None:
            return
        content_digest(callback, detail)
        fanned = fan_out(callback, detail, 1, ZoneInfo("Asia/Jakarta"))
    except ImpossibleCallbackError:
        return
    for record in (fanned.call, *fanned.answers, *fanned.attempts):
        assert codec.decode(codec.encode(1, record), codec.parsed_schema(type(record).__name__), type(record)) == record


@PROFILE
@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE["details"][0])), odd_values))
@example({"duration": "30", "ring_time": 2.0, "NerSlots": [], "question_answer": None})
def test_a_deviating_field_is_empty_kept_and_counted_and_no_other_is(changes: dict[str, Any]) -> None:
    changes.pop("call_id", None)
    delivery = copy.deepcopy(EXAMPLE)
    delivery["details"][0].update(changes)
    deviations: Deviations = defaultdict(int)
    body = json.dumps(delivery).replace("Infinity", "1e999").encode()

    detail = CALL_COMPLETION.read(body, ENVELOPE, deviations).details[0]

    spelt = {field.encode_name: field.name for field in call_completion.MAPPING._fields[_DETAIL]}
    empty = {name for name in changes if getattr(detail, spelt[name]) is None}
    assert empty <= set(detail.extra)
    assert {path for path, _ in deviations if path.count(".") == 1} == {
        f"details.{name}" for name in empty if not (name == "ring_type" and changes[name] is None)
    }
    unchanged = set(EXAMPLE["details"][0]) - set(changes)
    assert {name for name in unchanged if getattr(detail, spelt[name]) is None} == set()


_DETAIL = next(model for model in call_completion.MAPPING._fields if model.__name__ == "_Detail")
