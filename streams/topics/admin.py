"""Topics: created from the table in `schemas/topics.py`, and checked before anything starts.

Faust never creates a topic here: a changelog is declared like any other, because its cleanup must be `compact` alone
and its partitions must match the topics that its table follows.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

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

from schemas.connection_faults import hidden_topic, is_refusal, missing_right, principal
from schemas.kafka_probe import explain
from schemas.placement import WAY_OUT
from schemas.topics import CO_PARTITIONED, MAX_RECORD_BYTES, TABLES, TOPICS, changelog_name
from streams.errors import BrokerUnavailableError, RefusedError, TopicsError
from streams.settings import KafkaSettings, TopicSettings
from streams.topics.sizes import LIMIT, is_too_low, raise_limits

REQUEST_TIMEOUT_MS: Final = 15_000
VISIBLE_TIMEOUT_S: Final = 15.0
VISIBLE_POLL_S: Final = 0.1

# Only what breaks the promises when it differs is checked; retention and size are the operator's to tune. Records may
# be as large as declared or larger: a worker whose row or result a topic does not take could not go on.
_CHECKED: Final = ("cleanup.policy", "message.timestamp.type")

_NO_RIGHT: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
# What a topic gets when the environment names no replication factor: as many copies as there are brokers, up to this.
USUAL_REPLICATION: Final = 3
# With so many copies, an acknowledged record is in this many at least: one alone could be lost with its broker.
COPIES_BEFORE_ACKNOWLEDGED: Final = {"min.insync.replicas": "2"}


class Wanted(NamedTuple):
    """One topic as it must be."""

    name: str
    config: dict[str, str]


class Existing(NamedTuple):
    """One topic as it is: partitions, and the configuration values that are checked, if they may be seen."""

    partitions: int
    config: dict[str, str]
    is_config_hidden: bool = False


def wanted_topics(app_id: str) -> list[Wanted]:
    """Every topic of one deployment, changelogs included."""
    changelog = {
        "cleanup.policy": "compact",
        "message.timestamp.type": "CreateTime",
        "segment.ms": "3600000",
        LIMIT: str(MAX_RECORD_BYTES),
    }
    return [
        *(Wanted(topic.name, topic.config()) for topic in TOPICS),
        *(Wanted(changelog_name(app_id, table), changelog) for table in TABLES),
    ]


def faults_in(existing: dict[str, Existing], app_id: str) -> list[str]:
    """What is wrong with the topics that are there; empty when the worker can rely on them. Pure."""
    faults = []
    for topic in wanted_topics(app_id):
        found = existing.get(topic.name)
        if found is None:
            faults.append(hidden_topic(topic.name))
            continue
        if found.is_config_hidden:
            faults.append(f"topic {topic.name} hides its settings from us without the right DescribeConfigs on it")
            continue
        for name in _CHECKED:
            if found.config.get(name) != topic.config[name]:
                faults.append(f"topic {topic.name} has {name}={found.config.get(name)}, not {topic.config[name]}")
        if is_too_low(found.config, topic.config):
            faults.append(
                f"topic {topic.name} has {LIMIT}={found.config.get(LIMIT)}, less than {topic.config[LIMIT]}: "
                "run `python -m streams topics apply`, which raises it"
            )
    counts = {name: existing[name].partitions for name in placed_by_count(app_id) if name in existing}
    if len(set(counts.values())) > 1:
        listing = ", ".join(f"{name}: {count}" for name, count in counts.items())
        faults.append(f"these topics must have the same number of partitions ({listing}): {WAY_OUT}")
    return faults


def placed_by_count(app_id: str) -> list[str]:
    """The topics whose number of partitions the worker's state depends on."""
    return [topic.name for topic in CO_PARTITIONED] + [changelog_name(app_id, table) for table in TABLES]


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

    Returns the names of what was created. Raises: TopicsError when one that is there is not as declared otherwise;
    nothing else of what exists is changed.
    """
    async with admin_client(settings.kafka) as client:
        existing = await describe(client, wanted_topics(settings.app_id))
        missing = [topic for topic in wanted_topics(settings.app_id) if topic.name not in existing]
        wanted = {topic.name: topic.config for topic in wanted_topics(settings.app_id)}
        low = {
            name: int(wanted[name][LIMIT])
            for name, found in existing.items()
            if not found.is_config_hidden and is_too_low(found.config, wanted[name])
        }
        await raise_limits(client, low)
        if missing:
            await _create(client, missing, settings)
        if missing or low:
            existing = await _until_visible(client, wanted_topics(settings.app_id))
    _raise_faults(faults_in(existing, settings.app_id), settings.kafka)
    return [topic.name for topic in missing]


async def check_topics(kafka: KafkaSettings, app_id: str) -> dict[str, int]:
    """Partitions by topic name, once all topics are as declared. Raises: TopicsError naming every fault."""
    async with admin_client(kafka) as client:
        existing = await describe(client, wanted_topics(app_id))
    _raise_faults(faults_in(existing, app_id), kafka)
    return {name: found.partitions for name, found in existing.items()}


async def describe(client: Any, topics: Iterable[Wanted]) -> dict[str, Existing]:
    """Those of the topics that exist, as they are."""
    names = [topic.name for topic in topics]
    there = set(await client.list_topics()).intersection(names)
    described = await client.describe_topics(sorted(there)) if there else []
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    configs = await _configs(client, sorted(there)) if there else {}
    return {name: Existing(partitions[name], configs.get(name, {}), name not in configs) for name in there}


async def _until_visible(client: Any, topics: list[Wanted]) -> dict[str, Existing]:
    """Topics as they are, once all can be seen as wanted: a broker may answer before its metadata has caught up."""
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while True:
        existing = await describe(client, topics)
        are_there = all(t.name in existing and not is_too_low(existing[t.name].config, t.config) for t in topics)
        if are_there or time.monotonic() > deadline:
            return existing
        await asyncio.sleep(VISIBLE_POLL_S)


async def _configs(client: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """The settings that are checked, of the topics whose settings we may see."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys((*_CHECKED, LIMIT))) for name in names
    ]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources):
        for resource in response.resources:
            error, name, entries = for_code(resource[0]), resource[3], resource[4]
            if error is TopicAuthorizationFailedError:
                continue
            if error is not NoError:
                raise error(name)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def new_topics(topics: Iterable[Wanted], partitions: int, replication: int) -> list[NewTopic]:
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


async def _create(client: Any, topics: list[Wanted], settings: TopicSettings) -> None:
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
    """Ask, without joining, whether we may read as this group. Faust would wait in silence for what it may not have.

    Raises: RefusedError when not, BrokerUnavailableError.
    """
    async with admin_client(kafka) as client:
        coordinator = await _of_group(group, client._client.coordinator_lookup(CoordinationType.GROUP, group))
        # A heartbeat needs the same right as joining does. Of a member that nobody knows it changes nothing.
        answer = await client._send_request(HeartbeatRequest(group, -1, ""), coordinator)
    if for_code(answer.error_code) is GroupAuthorizationFailedError:
        raise RefusedError(missing_right("Read", f"group {group}", kafka))


async def _of_group(group: str, lookup: Awaitable[int]) -> int:
    try:
        return await lookup
    except GroupAuthorizationFailedError as error:  # it does not say of which
        raise GroupAuthorizationFailedError(group) from error


def _raise_faults(faults: list[str], kafka: KafkaSettings) -> None:
    if not faults:
        return
    who = [f"rights are granted to {principal(kafka)}, at the broker"] if any("right " in f for f in faults) else []
    raise TopicsError("\n".join(f"  - {line}" for line in (*faults, *who)))
