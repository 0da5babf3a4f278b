"""A broker that can be taken away in every way it goes away in the field."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import CALLBACKS
from streams.local.kafka import LocalKafka
from streams.local.ports import LOOPBACK
from streams.local.service import STOP_TIMEOUT_S
from tests.faults.gateway.proxy import Proxy

PARTITIONS = 3


class SecondKafka(LocalKafka):
    """A broker without a controller that joins another's cluster, to hold second replicas."""

    def __init__(self, data_dir: Path, first: LocalKafka) -> None:
        super().__init__(data_dir, heap_mib=256)
        self._first = first

    def _settings(self) -> str:
        controller = next(
            line for line in (self._first.data_dir / "server.properties").read_text().splitlines() if "voters=" in line
        )
        own = [line for line in super()._settings().splitlines() if not line.startswith(_OF_THE_FIRST)]
        own += ["process.roles=broker", "node.id=2", controller]
        own += [f"listeners=PLAINTEXT://{LOOPBACK}:{self.port}"]
        return "\n".join(own) + "\n"

    def _format(self) -> None:
        cluster_id = self._first.cluster_id
        self._log_dir.mkdir(parents=True, exist_ok=True)
        directory_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        lines = ("version=1", f"cluster.id={cluster_id}", "node.id=2", f"directory.id={directory_id}")
        (self._log_dir / "meta.properties").write_text("\n".join(lines) + "\n")


_OF_THE_FIRST = ("process.roles", "node.id", "listeners=", "controller.quorum.voters")


class ProxiedKafka(LocalKafka):
    """Tells its clients to come through a proxy; `LocalKafka`'s own checks go past it."""

    def __init__(self, data_dir: Path, proxy: Proxy) -> None:
        super().__init__(data_dir)
        self.proxy = proxy
        self.second = SecondKafka(data_dir / "second", self)
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

    async def create_callbacks(self, replicas: tuple[int, ...] = (1,)) -> None:
        """The first of `replicas` leads, and all of them have to acknowledge."""
        configs = {**CALLBACKS.config(), "min.insync.replicas": str(len(replicas))}
        assigned = {key: list(replicas) for key in range(PARTITIONS)}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(CALLBACKS.name, -1, -1, assigned, configs)])
        finally:
            await admin.close()

    async def replicate_callbacks(self) -> None:
        """Start the second broker and make the topic anew, with a replica on each."""
        await asyncio.to_thread(self.second.start)
        await self.delete_callbacks()
        await self.create_callbacks((1, 2))

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        self.second.kill()
        self.second.stop()
        super().stop(timeout_s)


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
    is_new_topic: bool = False  # what was in it before is gone
    prepare: Step | None = None


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
        "topic deleted",
        lambda kafka: kafka.delete_callbacks(),
        lambda kafka: kafka.create_callbacks(),
        is_new_topic=True,
    ),
    Outage(
        "record too large",
        lambda kafka: kafka.configure_callbacks(max_message_bytes="500"),
        lambda kafka: kafka.configure_callbacks(),
        without_spool=frozenset({413, 503}),
        with_spool=frozenset({200, 413}),
        is_noticed=False,
    ),
    Outage(  # the last one: its topic keeps a dead replica
        "out of in-sync replicas",
        _in_thread(lambda kafka: kafka.second.kill()),
        lambda kafka: kafka.configure_callbacks(min_insync_replicas="1"),
        prepare=lambda kafka: kafka.replicate_callbacks(),
    ),
)
