"""Who takes part: how each is started, what it reads, and what it does not do that our worker does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import CALLBACKS, CO_PARTITIONED, OUTCOMES_BY_SIP_LINE, OUTCOMES_BY_WORKFLOW
from streams.local.ports import free_ports
from tests.benchmarks.peers import kafka_streams, quix_environment
from tests.benchmarks.peers.work import BY_SIP_LINE, BY_WORKFLOW, GRACE_MS, Place

ROOT = Path(__file__).parents[3]
OURS = "ours"
LIGHT = "windows count calls only (ours: 27 counts)"
JIT = 2.5  # Java's compiler needs some seconds at full speed before the clock starts
NO_SAFETY = "no dedup, revisions, positions, late calls, dead letters"

Environ = Callable[[Place, str], Mapping[str, str]]


def _nothing(place: Place, registry_url: str) -> Mapping[str, str]:
    del place, registry_url
    return {}


@dataclass(frozen=True)
class Runner:
    """One system under test.

    `reads`: the topics that its group must commit to their end, input first; {group} is put in. `share`: of the
    callbacks of a run, so that slow ones take no hour and fast ones not two seconds. `warmth`: so many times the
    warm-up. `less`: what it does not do.
    """

    name: str
    what: str
    less: str
    argv: Callable[[Place], list[str]]
    reads: tuple[str, ...] = (CALLBACKS.name,)
    windows: bool = True
    share: float = 1.0
    warmth: float = 1.0
    environ: Environ = _nothing
    prepare: Callable[[], None] = lambda: None

    def sizes(self, warm_up: int, callbacks: int) -> tuple[int, int]:
        """How many of the input it gets before and on the clock."""
        return int(warm_up * self.share * self.warmth), int(callbacks * self.share)


def _python(module: str, *arguments: str) -> Callable[[Place], list[str]]:
    return lambda place: [sys.executable, "-m", f"tests.benchmarks.peers.{module}", *arguments]


def _ours(place: Place, registry_url: str) -> Mapping[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": place.bootstrap,
        "SCHEMA_REGISTRY_URL": registry_url,
        "STREAMS_APP_ID": place.group,
        "STREAMS_DATA_DIR": str(place.directory / "data"),
        "STREAMS_OPS_PORT": str(free_ports(1)[0]),
        "STREAMS_GRACE_S": str(GRACE_MS // 1000),
    }


_FLOOR_READS = (CALLBACKS.name, OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name)
_FAUST_READS = (CALLBACKS.name, BY_WORKFLOW, BY_SIP_LINE)
_STREAMS_READS = (CALLBACKS.name, "{group}-by-workflow-repartition", "{group}-by-sip-line-repartition")
_QUIX_READS = (
    CALLBACKS.name,
    f"repartition__{{group}}--{CALLBACKS.name}--by-workflow",
    f"repartition__{{group}}--{CALLBACKS.name}--by-sip-line",
)

RUNNERS = (
    Runner(
        OURS,
        "python -m streams worker, all safety on",
        "-",
        lambda place: [sys.executable, "-m", "streams", "worker"],
        tuple(topic.name for topic in CO_PARTITIONED),
        environ=_ours,
    ),
    Runner(
        "faust",
        "stock Faust 0.15.3, its defaults, tumbling tables on rocksdict",
        f"{NO_SAFETY}; {LIGHT}; outputs not awaited",
        _python("faust_stock"),
        _FAUST_READS,
        share=0.1,
    ),
    Runner(
        "faust-tuned",
        "the same with uvloop, linger 5 ms, 512 KiB batches, snappy, larger buffers",
        f"{NO_SAFETY}; {LIGHT}; outputs not awaited",
        _python("faust_stock", "--tuned"),
        _FAUST_READS,
        share=0.1,
    ),
    Runner(
        "quix",
        "Quix Streams 3.28.1, group_by and tumbling count, fastavro",
        f"{NO_SAFETY}; {LIGHT}",
        lambda place: [str(quix_environment.python()), "-m", "tests.benchmarks.peers.quix"],
        _QUIX_READS,
        share=0.5,
        prepare=quix_environment.prepare,
    ),
    Runner(
        "kafka-streams",
        "Kafka Streams 4.2.0 on Java 21, 1 thread, at_least_once",
        f"{NO_SAFETY}; {LIGHT}",
        lambda place: kafka_streams.argv(place, "at_least_once"),
        _STREAMS_READS,
        share=2.0,
        warmth=JIT,
        prepare=kafka_streams.prepare,
    ),
    Runner(
        "kafka-streams-eos",
        "the same, exactly_once_v2",
        f"{NO_SAFETY}, but exactly-once records, which ours does not promise; {LIGHT}",
        lambda place: kafka_streams.argv(place, "exactly_once_v2"),
        _STREAMS_READS,
        share=2.0,
        warmth=JIT,
        prepare=kafka_streams.prepare,
    ),
    Runner(
        "aiokafka",
        "floor: aiokafka loop, record batches, our pure functions, full windows in memory",
        f"{NO_SAFETY}; no state on disk or in a changelog",
        _python("floor_aiokafka", "--windows"),
        _FLOOR_READS,
    ),
    Runner(
        "aiokafka-fanout",
        "the same without windows",
        f"{NO_SAFETY}; no windows",
        _python("floor_aiokafka"),
        windows=False,
    ),
    Runner(
        "librdkafka",
        "floor: confluent-kafka loop, our pure functions, full windows in memory",
        f"{NO_SAFETY}; no state on disk or in a changelog",
        _python("floor_librdkafka", "--windows"),
        _FLOOR_READS,
    ),
    Runner(
        "librdkafka-fanout",
        "the same without windows",
        f"{NO_SAFETY}; no windows",
        _python("floor_librdkafka"),
        windows=False,
    ),
)

BY_NAME = {runner.name: runner for runner in RUNNERS}
