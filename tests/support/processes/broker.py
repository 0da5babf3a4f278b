"""A broker that can be taken away in every way it goes away in the field."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import CALLBACKS
from streams.local.ports import LOOPBACK
from tests.support.processes import permissions
from tests.support.processes.proxy import Proxy
from tests.support.processes.service import STOP_TIMEOUT_S, KafkaProcess
from tests.support.waiting import wait_until

PARTITIONS = 3
SLOW_S = 4.0


class JoinedKafka(KafkaProcess):
    """A broker without a controller that joins another's cluster, to hold more replicas."""

    def __init__(self, data_dir: Path, first: KafkaProcess, node_id: int) -> None:
        super().__init__(data_dir, heap_mib=256)
        self._first = first
        self._node_id = node_id

    def _settings(self) -> str:
        controller = next(
            line for line in (self._first.data_dir / "server.properties").read_text().splitlines() if "voters=" in line
        )
        own = [line for line in super()._settings().splitlines() if not line.startswith(_OF_THE_FIRST)]
        own += ["process.roles=broker", f"node.id={self._node_id}", controller, permissions.AUTHORIZER]
        own += [f"listeners=PLAINTEXT://{LOOPBACK}:{self.port}"]
        return "\n".join(own) + "\n"

    def _format(self) -> None:
        cluster_id = self._first.cluster_id
        self._log_dir.mkdir(parents=True, exist_ok=True)
        directory_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        lines = ("version=1", f"cluster.id={cluster_id}", f"node.id={self._node_id}", f"directory.id={directory_id}")
        (self._log_dir / "meta.properties").write_text("\n".join(lines) + "\n")


_OF_THE_FIRST = ("process.roles", "node.id", "listeners=", "controller.quorum.voters")


class ProxiedKafka(KafkaProcess):
    """Tells its clients to come through a proxy; `KafkaProcess`'s own checks go past it."""

    def __init__(self, data_dir: Path, proxy: Proxy) -> None:
        super().__init__(data_dir)
        self.proxy = proxy
        self.second = JoinedKafka(data_dir / "second", self, 2)
        self.third = JoinedKafka(data_dir / "third", self, 3)
        proxy.target_port = self.port

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.proxy.port}"

    def _settings(self) -> str:
        own = f"advertised.listeners=PLAINTEXT://{LOOPBACK}:{self.port}"
        settings = super()._settings().replace(own, f"advertised.listeners=PLAINTEXT://{self.bootstrap_servers}")
        return settings + permissions.AUTHORIZER

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

    async def create_callbacks(self, replicas: tuple[int, ...] = (1,), *, spare: int = 0) -> None:
        """The first of `replicas` leads, and all of them but `spare` have to acknowledge."""
        configs = {**CALLBACKS.config(), "min.insync.replicas": str(len(replicas) - spare)}
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

    async def replicate_callbacks_thrice(self) -> None:
        """Start the others and make the topic anew: three replicas, two have to acknowledge, the second leads."""
        await asyncio.to_thread(self.second.start)
        await asyncio.to_thread(self.third.start)
        await self.delete_callbacks()
        await self.create_callbacks((2, 3, 1), spare=1)

    async def _leaders(self) -> set[int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            (topic,) = await admin.describe_topics([CALLBACKS.name])
            return {partition["leader"] for partition in topic["partitions"]}
        finally:
            await admin.close()

    async def wait_for_other_leaders(self) -> None:
        """Until no partition is led by the second broker."""

        async def have_moved() -> bool:
            return not await self._leaders() & {NO_LEADER, 2}

        await wait_until(have_moved, MOVE_S, "other leaders")

    def refuse_bytes(self) -> None:
        """No file of the broker may grow any more: each write fails with EFBIG, as with ENOSPC on a full disk."""
        _, most = psutil.Process(self.pid).rlimit(psutil.RLIMIT_FSIZE)
        psutil.Process(self.pid).rlimit(psutil.RLIMIT_FSIZE, (1, most))

    def restart(self) -> None:
        """On a disk that takes bytes again."""
        self.stop()
        self.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        for joined in (self.second, self.third):
            joined.kill()
            joined.stop()
        super().stop(timeout_s)


NO_LEADER = -1
MOVE_S = 20.0


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
    is_set_aside: bool = False  # by the spool, until its next start
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
        is_set_aside=True,
    ),
    Outage(  # answers come, later than the deadline
        "slow",
        _in_thread(lambda kafka: kafka.proxy.delay(SLOW_S)),
        _in_thread(lambda kafka: kafka.proxy.forward()),
    ),
    Outage(
        "writing forbidden",
        _in_thread(lambda kafka: permissions.forbid_writing(kafka.bootstrap_servers)),
        _in_thread(lambda kafka: permissions.allow_writing(kafka.bootstrap_servers)),
    ),
    Outage(
        "disk full",
        _in_thread(lambda kafka: kafka.refuse_bytes()),
        _in_thread(lambda kafka: kafka.restart()),
    ),
    Outage(  # ends by itself
        "leader killed",
        _in_thread(lambda kafka: kafka.second.kill()),
        lambda kafka: kafka.wait_for_other_leaders(),
        without_spool=frozenset({200, 503}),
        is_noticed=False,
        prepare=lambda kafka: kafka.replicate_callbacks_thrice(),
    ),
    Outage(  # the last one: its topic keeps a dead replica
        "out of in-sync replicas",
        _in_thread(lambda kafka: kafka.second.kill()),
        lambda kafka: kafka.configure_callbacks(min_insync_replicas="1"),
        prepare=lambda kafka: kafka.replicate_callbacks(),
    ),
)
