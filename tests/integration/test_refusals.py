"""A broker that refuses us is named with the reason and the remedy: wrong password, wrong port, wrong certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from gateway.errors import PublishError
from gateway.publishing.kafka import KafkaPublisher
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import TOPICS as GATEWAY_TOPICS
from schemas.connection import KafkaConnection, RegistryConnection
from schemas.headers import TraceContext, headers_for
from schemas.reader import TopicReader
from schemas.runtime import exits
from schemas.topics import CALLBACKS, QUARANTINE
from streams.errors import BrokerUnavailableError, RefusedError, StreamsError, TopicsError
from streams.monitor.monitor import Monitor
from streams.monitor.settings import MonitorSettings
from streams.settings import TopicSettings, WorkerSettings
from streams.tools.kafka import translated
from streams.topics.admin import apply_topics, check_topics
from streams.worker import startup
from streams.worker.ops import WorkerState
from tests.support.processes.secured_kafka import PASSWORD, Rule, SecuredKafka
from tests.support.records import EVENT_ID, RECEIVED_AT, callback
from tests.support.waiting import PATIENCE_S, wait_until

USERS = ("operator", "worker", "monitor", "gateway")
APP = "airudder-streams"
SAYS_WITHIN_S = 10


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("secured"), USERS) as kafka:
        yield kafka


def connection(kafka: SecuredKafka, port: str, protocol: str, **changes: Any) -> KafkaConnection:
    """How to come to one port with the protocol; who and with what, unless `changes` say otherwise."""
    files = kafka.certificates
    names = {"{stranger}": str(files.stranger), "{client}": str(files.client), "{client_key}": str(files.client_key)}
    sasl = {"sasl_username": "worker", "sasl_password": PASSWORD} if "SASL" in protocol else {}
    tls = {"ssl_cafile": str(files.authority)} if protocol.endswith("SSL") else {}
    client = {"ssl_certfile": str(files.client), "ssl_keyfile": str(files.client_key)} if protocol == "SSL" else {}
    given = {**sasl, **tls, **client, **{name: names.get(value, value) for name, value in changes.items()}}
    servers = kafka.bootstrap_servers if port == "PLAINTEXT" else kafka.servers(port)
    return KafkaConnection.model_validate({"bootstrap_servers": servers, "security_protocol": protocol, **given})


class Row(NamedTuple):
    """Which port, spoken to by which protocol, with what changed; what must be said."""

    port: str
    protocol: str
    changes: dict[str, Any]
    said: tuple[str, ...]


ROWS = (
    Row("SASL_PLAINTEXT", "SASL_PLAINTEXT", {"sasl_password": "wrong"}, ("user worker by mechanism PLAIN",)),
    Row("SASL_SSL", "SASL_SSL", {"sasl_username": "nobody"}, ("failed for user nobody", "_USERNAME")),
    Row("SASL_PLAINTEXT", "SASL_PLAINTEXT", {"sasl_mechanism": "SCRAM-SHA-512"}, ("MECHANISM=SCRAM-SHA-512",)),
    Row("SASL_PLAINTEXT", "PLAINTEXT", {}, ("SASL", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT")),
    Row("PLAINTEXT", "SASL_PLAINTEXT", {}, ("asks for no user", "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")),
    Row("SSL", "PLAINTEXT", {}, ("speaks TLS", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT")),
    Row("SASL_SSL", "SASL_PLAINTEXT", {}, ("speaks TLS", "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")),
    Row("PLAINTEXT", "SSL", {}, ("speak TLS", "KAFKA_SECURITY_PROTOCOL=SSL")),
    Row("SSL", "SSL", {"ssl_cafile": "{stranger}"}, ("certificate does not verify", "KAFKA_SSL_CAFILE")),
    Row("SSL", "SSL", {"ssl_cafile": None}, ("certificate does not verify", "KAFKA_SSL_CAFILE")),
    Row("SSL", "SSL", {"ssl_certfile": None, "ssl_keyfile": None}, ("a client certificate", "_CERTFILE")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.protocol} to {row.port} {'-'.join(row.changes)}")
async def test_a_refused_connection_says_why_and_what_mends_it(kafka: SecuredKafka, row: Row) -> None:
    settings = connection(kafka, row.port, row.protocol, **row.changes)

    with pytest.raises(BrokerUnavailableError) as raised:
        await check_topics(settings, APP)

    said = str(raised.value)
    assert [word for word in row.said if word not in said] == [], said
    assert settings.bootstrap_servers in said
    assert PASSWORD not in said.split()


class Right(NamedTuple):
    """A rule of the worker's that is taken away, and what must be said then."""

    rule: Rule
    said: tuple[str, ...]


PREFIXES = ("airudder.", f"{APP}-")
NEEDED = (
    *(Rule("worker", "DESCRIBE", "TOPIC", prefix, is_prefix=True) for prefix in PREFIXES),
    *(Rule("worker", "DESCRIBE_CONFIGS", "TOPIC", prefix, is_prefix=True) for prefix in PREFIXES),
    Rule("worker", "READ", "GROUP", APP),
)
TAKEN_AWAY = (
    Right(NEEDED[4], ("right Read", f"group {APP}", "User:worker")),
    Right(NEEDED[2], ("right DescribeConfigs", f"topic {CALLBACKS.name}", "User:worker")),
    Right(NEEDED[0], ("right Describe", f"topic {CALLBACKS.name}", "missing, or hidden", "topics apply", "User:")),
)


@pytest.fixture(scope="module")
def topics(kafka: SecuredKafka) -> None:
    settings = TopicSettings.from_env({"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "STREAMS_PARTITIONS": "1"})
    asyncio.run(apply_topics(settings))
    kafka.allow(*NEEDED)


async def worker_says(settings: KafkaConnection) -> str:
    """What stops a worker at its start, with the exit code; empty when nothing does."""
    try:
        async with asyncio.timeout(SAYS_WITHIN_S):
            await startup.check_kafka(WorkerSettings(kafka=settings), WorkerState())
    except StreamsError as error:
        return f"{error.exit_code} {error}"
    return ""


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("right", TAKEN_AWAY, ids=lambda right: right.rule.operation)
async def test_a_worker_without_a_right_names_right_resource_and_user_within_seconds(
    kafka: SecuredKafka, right: Right
) -> None:
    settings = connection(kafka, "SASL_PLAINTEXT", "SASL_PLAINTEXT")

    async def is_said() -> bool:
        said = await worker_says(settings)
        return said.startswith(str(exits.UNAVAILABLE)) and all(word in said for word in right.said)

    async def is_content() -> bool:
        return not await worker_says(settings)

    await wait_until(is_content, PATIENCE_S, "the rules are known")
    kafka.forbid(right.rule)
    try:
        await wait_until(is_said, PATIENCE_S, f"the worker names {right.said}")
    finally:
        kafka.allow(right.rule)


@pytest.mark.usefixtures("topics")
async def test_who_may_not_create_topics_is_told_which_right_is_missing(kafka: SecuredKafka) -> None:
    settings = TopicSettings(kafka=connection(kafka, "SASL_PLAINTEXT", "SASL_PLAINTEXT", sasl_username="operator"))

    with pytest.raises(TopicsError) as raised:
        await apply_topics(settings)

    said = str(raised.value)
    assert f"topic {CALLBACKS.name} could not be created: we are without the right Create" in said
    assert "User:operator" in said


HEADERS = headers_for("Callback", EVENT_ID, "/airudder/gateway", RECEIVED_AT, TraceContext(EVENT_ID[:32]))
GATEWAYS = tuple(Rule("gateway", "DESCRIBE", "TOPIC", topic.name) for topic in GATEWAY_TOPICS)


@pytest.mark.usefixtures("topics")
async def test_a_gateway_is_not_ready_and_names_the_right_that_is_missing(
    kafka: SecuredKafka, registry_url: str
) -> None:
    settings = GatewaySettings(
        kafka=connection(kafka, "SASL_PLAINTEXT", "SASL_PLAINTEXT", sasl_username="gateway"),
        registry=RegistryConnection(url=registry_url),
    )
    publisher = KafkaPublisher(settings, GATEWAY_TOPICS)
    await publisher.start()

    def is_told(*words: str) -> bool:
        return all(word in "; ".join(publisher.faults()) for word in words)

    try:
        none = ("User:gateway has not the right Write on any topic",)
        await wait_until(lambda: is_told(*none), PATIENCE_S, "the gateway to name the right Write")

        kafka.allow(Rule("gateway", "WRITE", "TOPIC", QUARANTINE.name))
        hidden = (CALLBACKS.name, "hidden from us without the right Describe", "User:gateway", "topics apply")
        await wait_until(lambda: is_told(*hidden), PATIENCE_S, "the gateway to name the right Describe")

        kafka.allow(*GATEWAYS)
        await wait_until(lambda: not publisher.faults(), PATIENCE_S, "the gateway to see its topics")
        with pytest.raises(PublishError, match=f"User:gateway has not the right Write on topic {CALLBACKS.name}"):
            await publisher.publish(CALLBACKS, "key", callback(), HEADERS)
        refused = ("right Write", f"topic {CALLBACKS.name}", "User:gateway")
        await wait_until(lambda: is_told(*refused), PATIENCE_S, "the gateway to be not ready for it")
    finally:
        await publisher.stop()


@pytest.mark.usefixtures("topics")
async def test_a_tool_names_what_it_may_not_read(kafka: SecuredKafka) -> None:
    settings = connection(kafka, "SASL_PLAINTEXT", "SASL_PLAINTEXT", sasl_username="worker")

    async def read() -> None:
        async with translated(settings), TopicReader(settings) as reader:
            starts = await reader.beginnings(CALLBACKS)
            assert [record async for record in reader.records(starts, dict.fromkeys(starts, 1))]

    with pytest.raises(RefusedError) as raised:
        await read()

    assert f"User:worker has not the right Read on topic {CALLBACKS.name}" in str(raised.value)
    assert raised.value.exit_code == exits.UNAVAILABLE


MONITORS = tuple(
    Rule("monitor", operation, "TOPIC", "airudder.", is_prefix=True) for operation in ("DESCRIBE", "READ")
)  # fmt: skip


async def a_group_that_lags(kafka: SecuredKafka) -> None:
    """The worker's group stands before one record of callbacks."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    await producer.send_and_wait(CALLBACKS.name, b"x", partition=0)
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=APP, enable_auto_commit=False)
    tp = TopicPartition(CALLBACKS.name, 0)
    consumer.assign([tp])
    await consumer.start()
    await consumer.commit({tp: 0})
    await consumer.stop()


@pytest.mark.usefixtures("topics")
async def test_a_monitor_that_may_not_see_is_blind_and_not_ready_and_names_the_right(kafka: SecuredKafka) -> None:
    await a_group_that_lags(kafka)
    settings = connection(kafka, "SASL_PLAINTEXT", "SASL_PLAINTEXT", sasl_username="monitor")
    monitor = Monitor(MonitorSettings(kafka=settings))

    async def says(*words: str) -> bool:
        await monitor.poller.poll_once()
        told = [reason for reason in monitor.reasons_not_ready() if reason.startswith("lag")]
        blind = [problem for problem in monitor.health().problems if "cannot be seen" in problem.what]
        assert bool(told) == bool(blind)
        return all(word in "; ".join(told) for word in words) if words else not told

    try:
        await wait_until(lambda: says("hidden", CALLBACKS.name, f"right Describe on group {APP}"), PATIENCE_S, "hidden")
        kafka.allow(MONITORS[0], Rule("monitor", "DESCRIBE", "GROUP", APP))
        await wait_until(
            lambda: says("right Read", f"topic {CALLBACKS.name}", "User:monitor"), PATIENCE_S, "it names Read"
        )
        kafka.allow(MONITORS[1])
        await wait_until(lambda: says(), PATIENCE_S, "it sees everything")
    finally:
        await monitor.poller.aclose()
