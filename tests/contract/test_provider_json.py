"""Lossless: the provider's JSON can be rebuilt from the bytes on the callbacks topic, whatever fields it adds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.records.webhooks import Callback
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.provider import provider_json, read_callback

SCHEMA_ID = 1


def through_kafka(body: bytes) -> Any:
    """What a consumer would rebuild: body -> record -> wire bytes -> record -> JSON."""
    callback = read_callback(body, event_id="0" * 64, received_at=0, signature_scheme="none", signature_key_id=None)
    wire = codec.encode(SCHEMA_ID, callback)
    return provider_json(codec.decode(wire, codec.parsed_schema("Callback"), Callback))


def test_the_providers_example_is_rebuilt() -> None:
    assert through_kafka(to_body(EXAMPLE)) == EXAMPLE


texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=6,
)
int64 = st.integers(-(2**63), 2**63 - 1)
ours = st.sampled_from(["extra", "ner_slots", "event_id", "redial_calls", "call_id ", "details2", "kind"])
TEXT_MAPS = st.dictionaries(texts, texts | values, max_size=3)


def objects(
    required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of the provider with unknown fields, names of our own among them; optional fields may be null."""
    known = st.fixed_dictionaries(required, optional={name: st.none() | kind for name, kind in optional.items()})
    taken = {*required, *optional}
    unknown = st.dictionaries(texts | ours, values, max_size=3).map(
        lambda fields: {name: value for name, value in fields.items() if name not in taken}
    )
    return st.builds(lambda a, b: {**a, **b}, known, unknown)


def named(example: dict[str, Any], **special: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    kinds = {str: texts, int: int64}
    return {name: special[name] if name in special else kinds[type(value)] for name, value in example.items()}


DETAIL: dict[str, Any] = EXAMPLE["details"][0]
OPTIONAL = {"NerSlots", "EventLabel", "caller_number", "intention_description", "redail_call"}

questions = objects(
    {"question_name": texts},
    {name: texts for name in DETAIL["question_answer"][0] if name != "question_name"},
)
redials = objects({}, named(DETAIL["redail_call"][0]))
_detail = named(
    DETAIL,
    call_id=texts.filter(bool),
    ring_type=st.none() | texts,
    question_answer=st.lists(questions, max_size=2),
    redail_call=st.lists(redials, max_size=2),
    NerSlots=TEXT_MAPS,
    EventLabel=TEXT_MAPS,
    Variables=TEXT_MAPS,
)
details = objects(
    {name: kind for name, kind in _detail.items() if name not in OPTIONAL},
    {name: kind for name, kind in _detail.items() if name in OPTIONAL},
)
deliveries = objects(named(EXAMPLE, details=st.lists(details, max_size=2)), {})


@settings(max_examples=150)
@given(deliveries, st.booleans())
def test_any_delivery_is_rebuilt(delivery: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(delivery, ensure_ascii=ascii_only).encode()

    assert through_kafka(body) == json.loads(body)
