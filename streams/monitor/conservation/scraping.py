"""Reads /metrics of gateways and workers. An instance that does not answer takes its whole role out of the sum."""

import asyncio
import time
from typing import Final

import httpx2
import structlog

from streams.monitor.conservation.exposition import STARTED, Samples, Scraped, samples_of
from streams.monitor.faults import FaultNote

TIMEOUT_S: Final = 3.0
MAX_BYTES: Final = 8 * 1024 * 1024
PATH: Final = "/metrics"

log = structlog.get_logger("monitor.conservation")


class Scraper:
    """The instances of one role. `scrape` again and again; `newest` is the last look. Close with `aclose`."""

    def __init__(self, role: str, urls: str | None) -> None:
        self._role = role
        self._urls = [url.rstrip("/") for url in urls.split(",")] if urls else []
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._fault = FaultNote(log, "scrape.failed", "scrape.recovered")
        self.newest = Scraped()

    @property
    def is_on(self) -> bool:
        """Whether anybody said where the instances are."""
        return bool(self._urls)

    async def scrape(self) -> Scraped:
        """What all instances say now. Never raises."""
        began_ms = int(time.time() * 1000)
        answers = await asyncio.gather(*(self._read(url) for url in self._urls))
        faults = tuple(answer for answer in answers if isinstance(answer, str))
        urls = zip(self._urls, answers, strict=True)
        found = {url: answer for url, answer in urls if not isinstance(answer, str)}
        self._fault.set("; ".join(faults)) if faults else self._fault.clear()
        lives = tuple(sorted(value for samples in found.values() for value in samples.get(STARTED, {}).values()))
        self.newest = Scraped(began_ms if found else None, found, faults, lives)
        return self.newest

    async def _read(self, url: str) -> Samples | str:
        """The samples of one instance, or why there are none."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream("GET", url + PATH) as answer:
                if answer.status_code != 200:
                    return f"{self._role} {url} answered {answer.status_code}"
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        return f"{self._role} {url} answered more than {MAX_BYTES} bytes"
            return await asyncio.to_thread(samples_of, body.decode())
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            return f"{self._role} {url} did not answer: {type(error).__name__}"
        except ValueError:
            return f"{self._role} {url} answered something else than metrics"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
