"""Properties of what decides on trust: signatures, framing, and the way from JSON to Avro and back."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from gateway.arrivals import Arrivals
from gateway.errors import BodyTooLargeError
from gateway.http.body import read_body
from gateway.limits import InFlight
from gateway.signatures.verification import Unverified, Verified, Verifier, matching_schemes
from gateway.webhooks.kinds import Kind
from gateway.webhooks.mapping import Envelope
from schemas import codec
from schemas.records.types import TYPES
from schemas.signatures.keys import Key
from schemas.signatures.schemes import SAFE_SCHEMES, SCHEME_NAMES, SCHEMES
from schemas.signatures.signing import sign
from tests.support.kinds import SAMPLES, SERVED
from tests.support.provider import provider_json
from tests.support.requests import receive_of

PROFILE = profile(max_examples=100)
KEYS = (Key("a", b"first"), Key("b", b"whsec_c2Vjb25k"))
HEADER_NAMES = (b"x-airudder-sign", b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"other")
bodies = st.binary(max_size=200) | st.dictionaries(st.text(max_size=3), st.text(max_size=3)).map(
    lambda fields: json.dumps(fields).encode()
)
header_values = st.binary(max_size=100) | st.text("0123456789abcdefABCDEF=, v", max_size=80).map(str.encode)
header_lists = st.lists(st.tuples(st.sampled_from(HEADER_NAMES), header_values), max_size=6)


@PROFILE
@given(st.sampled_from(SCHEME_NAMES), bodies, header_lists)
@example("auto", b"", [(b"x-airudder-sign", "\u00e9".encode() * 32)])
def test_any_headers_give_a_verdict_and_made_up_ones_never_verify(
    scheme: str, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert isinstance(Verifier(scheme, KEYS, "X-AIRudder-Sign").verify(body, headers, 1e9), Unverified)


@PROFILE
@given(st.sampled_from(SAFE_SCHEMES), st.sampled_from(KEYS), bodies, st.data())
def test_what_is_signed_verifies_and_one_changed_bit_of_the_body_does_not(
    scheme: Any, key: Key, body: bytes, data: st.DataObject
) -> None:
    if scheme.name == "standard-webhooks" and key.id == "a":
        return
    headers = {n.lower().encode(): v.encode() for n, v in sign(body, scheme.name, key, "X-AIRudder-Sign", 1e9).items()}
    verifier = Verifier("auto", KEYS, "X-AIRudder-Sign")
    changed = bytearray(body or b"\x00")
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert verifier.verify(body, list(headers.items()), 1e9) == Verified(scheme.name, key.id)
    assert isinstance(verifier.verify(bytes(changed), list(headers.items()), 1e9), Unverified)


@PROFILE
@given(bodies, st.text(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_which_scheme_takes_any_text(body: bytes, signature: str, headers: dict[str, str]) -> None:
    try:
        found = matching_schemes(body, signature, KEYS, headers)
    except UnicodeEncodeError:
        pytest.fail("text that is no UTF-8 must not escape")
    assert found == []


@PROFILE
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=20), st.integers(1, 300))
async def test_a_body_is_the_same_however_it_is_cut_and_refused_exactly_over_the_limit(
    body: bytes, cuts: list[int], limit: int
) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]

    async def chunks() -> AsyncIterator[bytes]:
        for start, end in itertools.pairwise(edges):
            yield body[start:end]

    in_flight = InFlight(1, 1000)
    try:
        with in_flight.admission("") as admission:
            read = await read_body(receive_of(chunks()), admission, max_bytes=limit, arrivals=Arrivals(5, 10))
        assert read == body
        assert len(body) <= limit
    except BodyTooLargeError:
        assert len(body) > limit
    assert (in_flight.requests, in_flight.bytes) == (0, 0)


texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@PROFILE
@given(
    st.sampled_from([(kind, SAMPLES[kind.name]) for kind in SERVED]),
    st.dictionaries(texts.map(lambda name: f"new {name}"), values, max_size=3),
    st.data(),
)
def test_json_comes_back_from_avro_as_it_went_in(
    kind_and_sample: tuple[Kind[Any], Any], added: dict[str, Any], data: st.DataObject
) -> None:
    kind, sample = kind_and_sample
    delivery = copy.deepcopy(sample)
    for node in [delivery, *_objects(delivery, kind)]:
        if data.draw(st.booleans()):
            node.update(added)
    body = json.dumps(delivery, ensure_ascii=data.draw(st.booleans())).encode()

    wire = codec.encode(1, kind.read(body, Envelope("e", 0, "none", None)))
    record = codec.decode(wire, codec.parsed_schema(kind.topic.record), TYPES[kind.topic.record])

    assert provider_json(record, kind) == json.loads(body)


def _objects(delivery: Any, kind: Kind[Any]) -> list[Any]:
    """The objects within that have a model of their own."""
    lists = {"details": "question_answer", "actions": None, "messages": None}
    found = []
    for name, inner in lists.items():
        for item in delivery.get(name, []):
            found += [item, *(item[inner] if inner else [])]
    return found


def test_every_scheme_is_among_those_tried() -> None:
    assert set(SCHEME_NAMES) == {"auto", *SCHEMES}
