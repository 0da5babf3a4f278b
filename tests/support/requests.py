"""What a request to the webhook has around its body: path, key, signed headers; and settings of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Message, Receive

from gateway.settings import GatewaySettings
from schemas.signatures.keys import Key
from schemas.signatures.signing import sign

KEY = Key("k1", b"s3cret-planted-key")
WEBHOOK = "/webhooks/airudder/call-completion"


def settings(**changes: Any) -> GatewaySettings:
    """Settings for tests, without an environment."""
    return GatewaySettings(**{"signing_keys": (KEY,), **changes})


def signed(body: bytes, scheme: str = "hmac-sha256", key: Key = KEY) -> dict[str, str]:
    """Headers of a good request."""
    return {"content-type": "application/json", **sign(body, scheme, key, "X-AIRudder-Sign", 1_700_000_000)}


def receive_of(parts: AsyncIterator[bytes]) -> Receive:
    """What `read_body` awaits for the next part; `parts` is read no further than it awaits."""

    async def receive() -> Message:
        try:
            return {"type": "http.request", "body": await anext(parts), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    return receive
