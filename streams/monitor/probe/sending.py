"""Signs a probe as AiRudder signs a callback, and posts it to the gateway."""

import asyncio
import time
from typing import Final

import httpx2

from schemas.errors import KeysError
from schemas.signatures.keys import Key, read_keys
from schemas.signatures.signing import sign
from streams.monitor.errors import UnsignedProbeError
from streams.monitor.settings import MonitorSettings

ACCEPTED: Final = 200
AGENT: Final = "airudder-probe"


class ProbeSender:
    """Posts to MONITOR_PROBE_URL. Close with `aclose`. The keys are read anew for each probe."""

    def __init__(self, settings: MonitorSettings, deadline_s: float) -> None:
        self._settings = settings
        self._url = settings.probe_url or ""
        self._client = httpx2.AsyncClient(timeout=deadline_s, trust_env=False)

    async def signed(self, body: bytes) -> dict[str, str]:
        """The headers that the gateway verifies. Raises: UnsignedProbeError."""
        settings, now_s = self._settings, time.time()
        try:
            keys = [Key(key_id, secret.encode()) for key_id, secret in settings.signing_keys]
            if settings.signing_keys_file:
                keys += await asyncio.to_thread(read_keys, settings.signing_keys_file)
        except KeysError as error:
            raise UnsignedProbeError(f"AIRUDDER_SIGNING_KEYS_FILE: {error}") from None
        key = next((key for key in keys if key.is_valid(now_s)), None)
        if key is None:
            raise UnsignedProbeError("no signing key is valid now")
        try:
            return sign(body, settings.signature_scheme, key, settings.signature_header, now_s)
        except ValueError as error:
            raise UnsignedProbeError(str(error)) from None

    async def post(self, body: bytes, signature: dict[str, str]) -> str:
        """Post it once. Returns why it was not accepted; empty when it was."""
        headers = {"content-type": "application/json", "user-agent": AGENT, **signature}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except (httpx2.HTTPError, OSError) as error:
            return f"the gateway did not answer: {type(error).__name__}"
        return "" if answer.status_code == ACCEPTED else f"the gateway answered {answer.status_code}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
