"""A probe is signed so that the gateway verifies it, with the keys as they are now, and no secret is told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx2
import pytest

from gateway.signatures.verification import Verified, Verifier
from schemas.signatures.keys import Key
from schemas.signatures.schemes import AUTO, SAFE_SCHEMES, SORTED_SCHEMES
from streams.monitor.errors import UnsignedProbeError
from streams.monitor.probe.sending import ProbeSender
from streams.monitor.settings import MonitorSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"workflow_id": "__probe__"}'
URL = "http://gateway:8000/x"


def sender(**environ: str) -> ProbeSender:
    return ProbeSender(MonitorSettings.from_env({"MONITOR_PROBE_URL": URL, **environ}), 1.0)


@pytest.mark.parametrize("scheme", [AUTO, *(scheme.name for scheme in (*SAFE_SCHEMES, *SORTED_SCHEMES))])
async def test_the_gateway_verifies_it_under_every_scheme(scheme: str) -> None:
    probing = sender(
        AIRUDDER_SIGNING_KEYS=f"k1:{SECRET}", AIRUDDER_SIGNATURE_SCHEME=scheme, AIRUDDER_SIGNATURE_HEADER="X-Own"
    )
    headers = [(name.lower().encode(), value.encode()) for name, value in (await probing.signed(BODY)).items()]

    verdict = Verifier(scheme, [Key("k1", SECRET.encode())], "X-Own").verify(BODY, headers, time.time())
    assert isinstance(verdict, Verified)
    assert verdict.key_id == "k1"


async def test_the_first_key_that_is_valid_now_signs_also_one_that_came_into_the_file_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old = {"id": "old", "secret": "planted", "not_after": "2020-01-01T00:00:00Z"}
    file.write_text(json.dumps([old]))
    probing = sender(AIRUDDER_SIGNING_KEYS_FILE=str(file))
    with pytest.raises(UnsignedProbeError, match="no signing key is valid now"):
        await probing.signed(BODY)
    file.write_text(json.dumps([old, {"id": "new", "secret": "fresh"}]))

    assert await probing.signed(BODY) == await sender(AIRUDDER_SIGNING_KEYS="new:fresh").signed(BODY)


@pytest.mark.parametrize("content", ["[", '[{"id": "a", "secret": ""}]', '[{"secret": "planted"}]'])
async def test_a_file_that_cannot_be_used_is_told_without_what_it_holds(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)

    with pytest.raises(UnsignedProbeError, match="AIRUDDER_SIGNING_KEYS_FILE: ") as told:
        await sender(AIRUDDER_SIGNING_KEYS_FILE=str(file)).signed(BODY)
    assert "planted" not in str(told.value)


async def test_a_key_that_the_scheme_cannot_use_is_told_without_it() -> None:
    with pytest.raises(UnsignedProbeError, match="needs a secret of the form") as told:
        await sender(AIRUDDER_SIGNING_KEYS="k:planted", AIRUDDER_SIGNATURE_SCHEME="standard-webhooks").signed(BODY)
    assert "planted" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, ""),
        (202, "the gateway answered 202"),
        (307, "the gateway answered 307"),
        (503, "the gateway answered 503"),
    ],
)
async def test_only_a_200_is_accepted_and_no_redirect_is_followed(status: int, reason: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert (str(request.url), request.read()) == (URL, BODY)
        return httpx2.Response(status, headers={"location": "http://elsewhere/"})

    probing = sender()
    await probing.aclose()
    probing._client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    assert await probing.post(BODY, {}) == reason


async def test_a_gateway_that_is_away_is_told() -> None:
    probing = sender()
    probing._url = "http://127.0.0.1:1/"

    assert await probing.post(BODY, {}) == "the gateway did not answer: ConnectError"
