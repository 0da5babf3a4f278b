"""The monitor's connection to Kafka: its arguments, its errors as ours, and its end. Used by lag and outcomes alike."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from schemas.connection_faults import in_words, is_refusal, missing_right
from schemas.header_names import tolerate_header_names
from schemas.kafka_probe import explain
from streams.errors import BrokerUnavailableError
from streams.monitor.errors import TopicsMissingError
from streams.settings import KafkaSettings

CLIENT_ID: Final = "airudder-monitor"
REQUEST_TIMEOUT_MS: Final = 4_000
METADATA_MAX_AGE_MS: Final = 30_000
CLOSE_TIMEOUT_S: Final = 2.0
FETCH_WAIT_MS: Final = 500

# What the client library raises; its asserts and its lookups in stale metadata are part of it.
TROUBLE: Final = (KafkaError, OSError, TimeoutError, AssertionError, AttributeError, LookupError)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The client library's arguments for these settings. Raises: OSError for unreadable certificates."""
    return {
        **settings.client_arguments(),
        "client_id": CLIENT_ID,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }


def groupless(
    settings: KafkaSettings, reset: Literal["earliest", "latest"]
) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
    """An admin client and a consumer of committed records that joins no group and commits nothing. Start both."""
    arguments = connection(settings)
    tolerate_header_names()
    consumer = AIOKafkaConsumer(
        **arguments,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        isolation_level="read_committed",
    )
    return AIOKafkaAdminClient(**arguments), consumer


async def partitions_of(admin: AIOKafkaAdminClient, topics: Collection[str]) -> dict[str, list[int]]:
    """The partitions of each of these topics. Raises: TopicsMissingError naming every one that is not there."""
    # None asks for all topics: asking by name would create what does not exist on brokers that allow it.
    described = {
        topic["topic"]: [p["partition"] for p in topic["partitions"]] for topic in await admin.describe_topics(None)
    }
    if missing := [name for name in topics if not described.get(name)]:
        names = ", ".join(missing)
        raise TopicsMissingError(f"topics do not exist yet, or are hidden from us without the right Describe: {names}")
    return {name: described[name] for name in topics}


@asynccontextmanager
async def connecting(settings: KafkaSettings) -> AsyncIterator[None]:
    """As `translated`; the error also says why the broker cannot be reached, or refuses us."""
    try:
        yield
    except TROUBLE as error:
        raise BrokerUnavailableError(await explain(error, settings)) from error


@asynccontextmanager
async def translated(settings: KafkaSettings) -> AsyncIterator[None]:
    """The client library's errors as BrokerUnavailableError."""
    try:
        yield
    except TROUBLE as error:
        raise BrokerUnavailableError(f"Kafka did not answer: {in_words(error, settings)}") from error


def explained(error: BaseException, settings: KafkaSettings, right: str, resource: str) -> str:
    """Why one resource could not be read; names the missing right where that is the reason."""
    return missing_right(right, resource, settings) if is_refusal(error) else in_words(error, settings)


def raise_for(error_code: int) -> None:
    """Raises: the client library's error for a code of the protocol other than 0."""
    if error_code:
        raise for_code(error_code)()


async def stop(*clients: Any) -> None:
    """Close clients, each within CLOSE_TIMEOUT_S: a frozen broker must not hold us. Repeat: safe."""
    for client in clients:
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(client.stop() if hasattr(client, "stop") else client.close(), CLOSE_TIMEOUT_S)
