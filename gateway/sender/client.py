"""A client of the gateway: signs a body as the gateway expects it, and posts it."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx2

from gateway.errors import DeliveryRefusedError
from gateway.settings import GatewaySettings
from schemas.signatures.signing import sign

REQUEST_TIMEOUT_S: Final = 15.0
MAX_RETRY_DELAY_S: Final = 5.0
_ACCEPTED: Final = 200
_TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


class Sender:
    """Posts signed callbacks to one URL. Close with `aclose`."""

    def __init__(self, settings: GatewaySettings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._key = next((key for key in settings.load_keys() if key.is_valid(time.time())), None)
        self._client = httpx2.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False)

    async def post(self, body: bytes) -> httpx2.Response:
        """Post the bytes unchanged, signed with the first valid key.

        Raises: httpx2.HTTPError without an answer, ValueError when they cannot be signed.
        """
        settings = self._settings
        if self._key is None:
            raise ValueError("no signing key is valid now")
        signature = sign(body, settings.signature_scheme, self._key, settings.signature_header, time.time())
        headers = {"content-type": "application/json", "user-agent": "Airudder", **signature}
        return await self._client.post(self._url, content=body, headers=headers)

    async def post_until_accepted(self, body: bytes, on_retry: Callable[[str], None]) -> None:
        """Post again, after Retry-After, until the answer is 200.

        Raises: DeliveryRefusedError for an answer that no retry changes.
        """
        attempt = 0
        while True:
            delay_s, reason = await self._try(body, attempt)
            if delay_s is None:
                return
            on_retry(reason)
            await asyncio.sleep(delay_s)
            attempt += 1

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _try(self, body: bytes, attempt: int) -> tuple[float | None, str]:
        """None when it is accepted, else the seconds to wait, and the reason."""
        delay_s = min(0.5 * 2 ** min(attempt, 10), MAX_RETRY_DELAY_S)
        try:
            response = await self.post(body)
        except httpx2.TransportError as error:
            return delay_s, type(error).__name__
        if response.status_code == _ACCEPTED:
            return None, ""
        if response.status_code not in _TRY_AGAIN:
            raise DeliveryRefusedError(f"{response.status_code} {response.text}")
        retry_after = response.headers.get("retry-after", "")
        return (float(retry_after) if retry_after.isdigit() else delay_s), str(response.status_code)
