"""A publisher for a tool: connected, or an error that says why not."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import PublishError
from gateway.publishing.kafka import KafkaPublisher
from gateway.settings import GatewaySettings
from schemas.topics import Topic

CONNECT_S: Final = 30.0


@asynccontextmanager
async def connected(settings: GatewaySettings, topics: Sequence[Topic]) -> AsyncIterator[KafkaPublisher]:
    """A publisher for these topics; raises PublishError when Kafka does not get ready."""
    publisher = KafkaPublisher(settings, topics)
    await publisher.start()
    try:
        deadline = time.monotonic() + CONNECT_S
        while publisher.faults():
            if time.monotonic() > deadline:
                raise PublishError("; ".join(publisher.faults()))
            await asyncio.sleep(0.05)
        yield publisher
    finally:
        await publisher.stop()
