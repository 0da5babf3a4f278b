"""Topics on the broker: `topics apply` creates what is missing, `topics check` and the worker compare."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.group import HeartbeatRequest

from schemas.connection_faults import is_refusal, missing_right, principal
from schemas.kafka_probe import explain
from streams.errors import BrokerUnavailableError, RefusedError, TopicsError
from streams.settings import KafkaSettings, TopicSettings
from streams.topics.expected import (
    CHECKED,
    LIMIT,
    ExpectedTopic,
    FoundTopic,
    expected_topics,
    faults_in,
    is_too_low,
)
from streams.topics.sizes import raise_limits

REQUEST_TIMEOUT_MS: Final = 15_000
VISIBLE_TIMEOUT_S: Final = 15.0
VISIBLE_POLL_S: Final = 0.1

_NO_RIGHT: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
# Without STREAMS_REPLICATION_FACTOR a topic has as many copies as there are brokers, up to this.
USUAL_REPLICATION: Final = 3
# With that many copies an acknowledged record has two at least: a single one could be lost with its broker.
COPIES_BEFORE_ACKNOWLEDGED: Final = {"min.insync.replicas": "2"}


@asynccontextmanager
async def admin_client(kafka: KafkaSettings) -> AsyncIterator[Any]:
    """An admin client, closed at the end. Raises: BrokerUnavailableError when it cannot be reached, RefusedError."""
    client = AIOKafkaAdminClient(**kafka.client_arguments(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise_as = RefusedError if is_refusal(error) else BrokerUnavailableError
        raise raise_as(await explain(error, kafka)) from error
    finally:
        await client.close()


async def apply_topics(settings: TopicSettings) -> list[str]:
    """Create the topics that are missing, and raise the size limit of those that have less. Repeat: safe.

    Returns the names of the topics created. Changes nothing else of a topic that exists.
    Raises: TopicsError when a topic is not as declared, BrokerUnavailableError, RefusedError.
    """
    expected = expected_topics(settings.group, settings.kafka.names)
    async with admin_client(settings.kafka) as client:
        found = await describe(client, expected)
        missing = [topic for topic in expected if topic.name not in found]
        low = {
            topic.name: int(topic.config[LIMIT])
            for topic in expected
            if topic.name in found and _is_known_too_low(found[topic.name], topic)
        }
        await raise_limits(client, low)
        if missing:
            await _create(client, missing, settings)
        if missing or low:
            found = await _until_visible(client, expected)
    _raise_faults(faults_in(found, settings.group, settings.kafka.names), settings.kafka)
    return [topic.name for topic in missing]


async def check_topics(kafka: KafkaSettings, group: str) -> dict[str, int]:
    """Partitions by real name when all topics are as declared. Raises: TopicsError naming every fault."""
    async with admin_client(kafka) as client:
        found = await describe(client, expected_topics(group, kafka.names))
    _raise_faults(faults_in(found, group, kafka.names), kafka)
    return {name: topic.partitions for name, topic in found.items()}


async def describe(client: Any, topics: Iterable[ExpectedTopic]) -> dict[str, FoundTopic]:
    """Those of the topics that exist, as they are."""
    names = [topic.name for topic in topics]
    there = set(await client.list_topics()).intersection(names)
    described = await client.describe_topics(sorted(there)) if there else []
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    configs = await _configs(client, sorted(there)) if there else {}
    return {name: FoundTopic(partitions[name], configs.get(name, {}), name not in configs) for name in there}


def _is_known_too_low(found: FoundTopic, expected: ExpectedTopic) -> bool:
    return not found.is_config_hidden and is_too_low(found.config, expected.config)


async def _until_visible(client: Any, topics: list[ExpectedTopic]) -> dict[str, FoundTopic]:
    """Topics as they are, once all are visible: a broker may answer before its metadata has caught up."""
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while True:
        found = await describe(client, topics)
        are_there = all(t.name in found and not is_too_low(found[t.name].config, t.config) for t in topics)
        if are_there or time.monotonic() > deadline:
            return found
        await asyncio.sleep(VISIBLE_POLL_S)


async def _configs(client: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """The checked configuration of the topics whose configuration we may see, by name."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys((*CHECKED, LIMIT))) for name in names
    ]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources):
        for code, _, _, name, entries in response.resources:
            error = for_code(code)
            if error is TopicAuthorizationFailedError:
                continue
            if error is not NoError:
                raise error(name)
            found[name] = {key: value for key, value, *_ in entries}
    return found


def new_topics(topics: Iterable[ExpectedTopic], partitions: int, replication: int) -> list[NewTopic]:
    """The topics as they are created. Pure."""
    copies = COPIES_BEFORE_ACKNOWLEDGED if replication >= USUAL_REPLICATION else {}
    return [
        NewTopic(
            topic.name,
            num_partitions=partitions,
            replication_factor=replication,
            topic_configs={**topic.config, **copies},
        )
        for topic in topics
    ]


async def _create(client: Any, topics: list[ExpectedTopic], settings: TopicSettings) -> None:
    brokers = len((await client.describe_cluster())["brokers"])
    replication = settings.replication_factor or min(brokers, USUAL_REPLICATION)
    response = await client.create_topics(new_topics(topics, settings.partitions, replication))
    faults = []
    for name, code, *reason in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            own = f"{error.__name__} {reason[0] if reason and reason[0] else ''}".rstrip()
            why = "we are without the right Create on it" if error in _NO_RIGHT else own
            faults.append(f"topic {name} could not be created: {why}")
    _raise_faults(faults, settings.kafka)


async def check_group(kafka: KafkaSettings, group: str) -> None:
    """Check that we may read as this group, without joining it. Without the right Faust would wait in silence.

    Raises: RefusedError without the right, BrokerUnavailableError.
    """
    async with admin_client(kafka) as client:
        coordinator = await _of_group(group, client._client.coordinator_lookup(CoordinationType.GROUP, group))
        # A heartbeat needs the same right as joining. From an unknown member it changes nothing.
        answer = await client._send_request(HeartbeatRequest(group, -1, ""), coordinator)
    if for_code(answer.error_code) is GroupAuthorizationFailedError:
        raise RefusedError(missing_right("Read", f"group {group}", kafka))


async def _of_group(group: str, lookup: Awaitable[int]) -> int:
    try:
        return await lookup
    except GroupAuthorizationFailedError as error:  # aiokafka's error names no group
        raise GroupAuthorizationFailedError(group) from error


def _raise_faults(faults: list[str], kafka: KafkaSettings) -> None:
    if not faults:
        return
    who = [f"rights are granted to {principal(kafka)}, at the broker"] if any("right " in f for f in faults) else []
    raise TopicsError("\n".join(f"  - {line}" for line in (*faults, *who)))
