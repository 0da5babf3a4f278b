"""The monitor's connection to Kafka: its arguments, its errors as ours, and its end. Used by lag and outcomes alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka.errors import KafkaError, for_code

from schemas.connection_faults import in_words, is_refusal, missing_right
from schemas.kafka_probe import explain
from streams.errors import BrokerUnavailableError
from streams.settings import KafkaSettings

CLIENT_ID: Final = "airudder-monitor"
REQUEST_TIMEOUT_MS: Final = 4_000
METADATA_MAX_AGE_MS: Final = 30_000
CLOSE_TIMEOUT_S: Final = 2.0

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
