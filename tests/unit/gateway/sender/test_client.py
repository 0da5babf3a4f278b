"""The sender's side: signed, and polite when it has to come again."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gateway.errors import DeliveryRefusedError
from gateway.sender.client import Sender
from gateway.signatures.verification import Verified, Verifier
from schemas.signatures.keys import Key
from schemas.signatures.schemes import SCHEMES
from tests.support.requests import settings

URL = "http://gateway/hook"


class Answers:
    """Gives the answers in turn, the last for ever, and notes what was asked and how long it slept between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: httpx2.Response | Exception) -> None:
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []
        self._answers = list(answers)
        monkeypatch.setattr("gateway.sender.client.asyncio.sleep", self._sleep)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)

    def sender(self, **changes: Any) -> Sender:
        sender = Sender(settings(**changes), URL)
        sender._client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return sender


@pytest.mark.parametrize("scheme", ["auto", *SCHEMES])
async def test_a_post_carries_the_bytes_unchanged_and_a_signature_that_verifies(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    key = Key("k", b"whsec_c2VjcmV0")
    answers = Answers(monkeypatch, httpx2.Response(200, json={}))
    sender = answers.sender(signature_scheme=scheme, signing_keys=(key, Key("other", b"whsec_b3RoZXI=")))
    body = b' {"a": 1 }\n'

    await sender.post(body)

    (request,) = answers.requests
    verifier = Verifier(scheme, [key], "X-AIRudder-Sign")
    now_s = float(request.headers.get("webhook-timestamp", 0))
    raw = [(name.lower(), value) for name, value in request.headers.raw]
    assert request.content == body
    assert request.headers["content-type"] == "application/json"
    assert isinstance(verifier.verify(body, raw, now_s), Verified)


async def test_it_comes_again_after_what_retry_after_asks_until_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(
        monkeypatch,
        httpx2.Response(503, headers={"retry-after": "2"}),
        httpx2.Response(429, headers={"retry-after": "1"}),
        httpx2.ConnectError("refused"),
        httpx2.Response(500),
        httpx2.Response(200, json={}),
    )
    reasons: list[str] = []

    await answers.sender().post_until_accepted(b"{}", reasons.append)

    assert reasons == ["503", "429", "ConnectError", "500"]
    assert answers.slept == [2, 1, 2, 4]
    assert len(answers.requests) == 5


@pytest.mark.parametrize("status", [401, 404, 413, 415, 422])
async def test_it_does_not_come_again_when_told_not_to(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    answers = Answers(monkeypatch, httpx2.Response(status, text="why"))

    with pytest.raises(DeliveryRefusedError, match=f"{status} why"):
        await answers.sender().post_until_accepted(b"{}", print)

    assert len(answers.requests) == 1
