"""A broker that can be taken away in every way it goes away in the field."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import CALLBACKS
from streams.local.kafka import LocalKafka
from streams.local.ports import LOOPBACK
from tests.faults.gateway.proxy import Proxy

PARTITIONS = 3


class ProxiedKafka(LocalKafka):
    """Tells its clients to come through a proxy; `LocalKafka`'s own checks go past it."""

    def __init__(self, data_dir: Path, proxy: Proxy) -> None:
        super().__init__(data_dir)
        self.proxy = proxy
        proxy.target_port = self.port

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.proxy.port}"

    def _settings(self) -> str:
        own = f"advertised.listeners=PLAINTEXT://{LOOPBACK}:{self.port}"
        return super()._settings().replace(own, f"advertised.listeners=PLAINTEXT://{self.bootstrap_servers}")

    async def configure_callbacks(self, **changes: str) -> None:
        """Give the callbacks topic its own settings and these, dots written as underscores."""
        configs = {**CALLBACKS.config(), **{name.replace("_", "."): value for name, value in changes.items()}}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, CALLBACKS.name, configs=configs)])
        finally:
            await admin.close()

    async def delete_callbacks(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics([CALLBACKS.name])
        finally:
            await admin.close()

    async def create_callbacks(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(CALLBACKS.name, PARTITIONS, 1, topic_configs=CALLBACKS.config())])
        finally:
            await admin.close()


Step = Callable[[ProxiedKafka], Awaitable[None]]


def _in_thread(act: Callable[[ProxiedKafka], None]) -> Step:
    return lambda kafka: asyncio.to_thread(act, kafka)


@dataclass(frozen=True)
class Outage:
    """How it begins and ends; what a gateway without and with a spool may answer meanwhile."""

    name: str
    begin: Step
    end: Step
    without_spool: frozenset[int] = frozenset({503})
    with_spool: frozenset[int] = frozenset({200})
    is_noticed: bool = True  # readyz says so


OUTAGES = (
    Outage("refused", _in_thread(lambda kafka: kafka.stop()), _in_thread(lambda kafka: kafka.start())),
    Outage("killed", _in_thread(lambda kafka: kafka.kill()), _in_thread(lambda kafka: kafka.start())),
    Outage("frozen", _in_thread(lambda kafka: kafka.freeze()), _in_thread(lambda kafka: kafka.thaw())),
    Outage(
        "black-holed",
        _in_thread(lambda kafka: kafka.proxy.swallow()),
        _in_thread(lambda kafka: kafka.proxy.forward()),
    ),
    Outage(
        "out of in-sync replicas",
        lambda kafka: kafka.configure_callbacks(min_insync_replicas="2"),
        lambda kafka: kafka.configure_callbacks(),
    ),
    Outage("topic deleted", lambda kafka: kafka.delete_callbacks(), lambda kafka: kafka.create_callbacks()),
    Outage(
        "record too large",
        lambda kafka: kafka.configure_callbacks(max_message_bytes="500"),
        lambda kafka: kafka.configure_callbacks(),
        without_spool=frozenset({413, 503}),
        with_spool=frozenset({200, 413}),
        is_noticed=False,
    ),
)
