"""What the tools need of Kafka besides reading: errors as this package's own, and a producer."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.connection_faults import is_refusal
from schemas.errors import MissingTopicsError, RegistryError, UnreadableTopicError
from schemas.kafka_probe import explain
from schemas.topics import MAX_KEPT_BYTES
from streams.errors import BrokerUnavailableError, RefusedError, RegistryAwayError, TopicsError
from streams.settings import KafkaSettings

ANSWER_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 5.0


@asynccontextmanager
async def translated(kafka: KafkaSettings) -> AsyncIterator[None]:
    """Give what goes wrong with Kafka and the registry as this package's errors.

    Raises: TopicsError, RefusedError, BrokerUnavailableError, RegistryAwayError.
    """
    try:
        yield
    except MissingTopicsError as error:
        raise TopicsError("\n".join(f"  - {fault}" for fault in error.faults)) from error
    except UnreadableTopicError as error:
        raise _kind(error)(str(error)) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise _kind(error)(await explain(error, kafka)) from error
    except RegistryError as error:
        raise RegistryAwayError(str(error)) from error


def _kind(error: BaseException) -> type[RefusedError | BrokerUnavailableError]:
    return RefusedError if is_refusal(error) else BrokerUnavailableError


@asynccontextmanager
async def open_producer(kafka: KafkaSettings, **more: Any) -> AsyncIterator[Any]:
    """An idempotent producer with acks=all, flushed and closed at the end. more: further arguments of aiokafka's."""
    producer = AIOKafkaProducer(
        **kafka.client_arguments(),
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_KEPT_BYTES,
        compression_type=kafka.producer_compression,
        **more,
    )
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await producer.start()
        yield producer
    finally:
        await _stop(producer)


async def _stop(producer: Any) -> None:
    """Within a bound: a client may wait without end for a broker that is gone (aiokafka#1101)."""
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await producer.stop()


async def pace(free_at: float, count: int, rate: float | None) -> float:
    """Wait until the next `count` may be sent; when those after them may. rate: a second; None: no limit."""
    if rate is None:
        return free_at
    await asyncio.sleep(max(0.0, free_at - time.monotonic()))
    return max(free_at, time.monotonic()) + count / rate
