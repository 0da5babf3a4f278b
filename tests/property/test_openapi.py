"""The served OpenAPI document holds: what it calls valid is accepted, what it calls invalid is refused as it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import settings as profile
from schemathesis import GenerationMode
from schemathesis.core import NotSet
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection
from starlette.testclient import TestClient

from gateway.gateway import Gateway
from gateway.http.app import create_app, create_ops_app
from gateway.webhooks.kinds import KINDS, Kind
from tests.support.fakes import FakePublisher
from tests.support.requests import settings, signed

EXAMPLES = 40
PROFILE = profile(max_examples=EXAMPLES)
GATEWAY = Gateway(settings(), FakePublisher())
HOOK = TestClient(create_app(GATEWAY))
SERVED: dict[str, Any] = TestClient(create_ops_app(GATEWAY)).get("/openapi.json").json()
SCHEMA = schemathesis.openapi.from_dict(SERVED)


def whole(value: Any) -> Any:
    """JSON Schema takes 3.0 for an integer; we take integers only as integers are written."""
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def as_bytes(body: Any) -> bytes:
    """What was generated as it goes over the wire; not all of it is JSON, and some has no body at all."""
    if isinstance(body, (bytes, NotSet)):
        return body if isinstance(body, bytes) else b""
    return json.dumps(whole(body), ensure_ascii=False).encode()


def send(case: Any, **headers: str) -> Any:
    """Post what was generated, signed; the response, checked against the document."""
    body = as_bytes(case.body)
    response = HOOK.post(case.formatted_path, content=body, headers={**signed(body), **headers})
    # what is refused is asserted below; ours is a real signature, which schemathesis takes for a made-up one
    case.validate_response(response, excluded_checks=[negative_data_rejection, ignored_auth])
    return response


def test_the_document_names_every_webhook_and_every_answer() -> None:
    assert set(SERVED["paths"]) == {kind.route for kind in KINDS}
    for path in SERVED["paths"].values():
        answers = {"200", "400", "401", "405", "408", "413", "414", "415", "422", "429", "431", "503"}
        named = {"404"} if path["post"]["parameters"] else set()
        assert set(path["post"]["responses"]) == answers | named


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whatever_the_document_calls_valid_is_accepted(kind: Kind[Any]) -> None:
    @PROFILE
    @given(SCHEMA[kind.route]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case: Any) -> None:
        assert send(case).status_code == 200

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whatever_the_document_calls_invalid_is_refused_as_documented(kind: Kind[Any]) -> None:
    @PROFILE
    @given(SCHEMA[kind.route]["POST"].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case: Any) -> None:
        response = send(case)
        modes = {place: part.mode.is_negative for place, part in case.meta.components.items()}
        if modes.get(ParameterLocation.PATH):
            assert response.status_code == 404
        elif modes[ParameterLocation.BODY]:
            assert response.status_code == 422

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_unsigned_is_401_whatever_the_body(kind: Kind[Any]) -> None:
    @profile(PROFILE, max_examples=20)
    @given(SCHEMA[kind.route]["POST"].as_strategy())
    def check(case: Any) -> None:
        response = send(case, **{"X-AIRudder-Sign": "0" * 64})
        assert response.status_code == 401

    check()
