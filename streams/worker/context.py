"""What an agent needs of its worker."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from faust.types import TP, Message

from schemas.registry import Registry
from schemas.topic_names import TopicNames
from streams.worker.metrics import WorkerMetrics
from streams.worker.pipeline import Pipeline
from streams.worker.spans import AgentSpans


@dataclass(frozen=True)
class AgentContext:
    """The worker as its agents see it. Each agent has a pipeline of its own; the rest is one for all.

    `partitions`: the number of partitions by a topic's real name. `settle`: every effect of this run is durable.
    `progressed`: something got done, which shows the watchdog that the worker does not hang. `fail` ends the process.
    `hold` stops fetching a partition, `release` goes on with it behind what was delivered. `group`: the worker's own.
    `spans`: None where tracing is off.
    """

    registry: Registry
    names: TopicNames
    partitions: Mapping[str, int]
    pipeline: Pipeline
    metrics: WorkerMetrics
    settle: Callable[[Message], None]
    progressed: Callable[[], None]
    fail: Callable[[BaseException], None]
    hold: Callable[[TP], None]
    release: Callable[[TP], Awaitable[None]]
    group: str
    spans: AgentSpans | None = None
