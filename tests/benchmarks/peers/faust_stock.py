"""Stock Faust: one agent fans out, two keep a tumbling table each, fed by re-keyed topics. `--tuned`: larger sizes.

Its windows go by the timestamp of the Kafka record, so the re-keyed records are sent with event time.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import faust

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.benchmarks.peers.job import PARTITIONS
from tests.benchmarks.peers.work import BY_SIP_LINE, BY_WORKFLOW, WINDOW_MS, Place, fan_out_callback

TUNED: dict[str, Any] = {
    "producer_compression_type": "snappy",  # with aiokafka, lz4 is several times slower
    "producer_linger": 0.005,
    "producer_max_batch_size": 512 * 1024,
    "stream_buffer_maxsize": 16_384,
    "broker_max_poll_records": 1_000,
}


def build(place: Place, *, tuned: bool) -> Any:
    """The app with its agents and tables."""
    app = faust.App(
        place.group,
        broker=f"kafka://{place.bootstrap}",
        store="rocksdb://",
        datadir=place.directory / "data",
        autodiscover=False,
        web_enabled=False,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        **(TUNED if tuned else {}),
    )
    outputs = {topic.name: _bytes_topic(app, topic.name) for topic in (CALLS, ANSWERS, CALL_ATTEMPTS)}
    changes = {attribute: _bytes_topic(app, name) for attribute, name in _COUNTED}
    callbacks = _bytes_topic(app, CALLBACKS.name)

    async def fan_out(stream: Any) -> None:
        async for event in stream.events():
            fanned = fan_out_callback(event.value, event.message.headers or (), place.ids)
            for output in fanned.outputs:
                await outputs[output.topic].send(key=output.key, value=output.value, headers=output.headers)
            ended_at = fanned.outcome.ended_at
            for attribute, topic in changes.items():
                key = getattr(fanned.outcome, attribute).encode()
                await topic.send(key=key, value=str(ended_at).encode(), timestamp=ended_at / 1000)

    app.agent(callbacks, name="fan-out")(fan_out)
    for (attribute, _), results in zip(_COUNTED, (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES), strict=True):
        _count(app, attribute, changes[attribute], _bytes_topic(app, results.name))
    return app


_COUNTED = (("workflow_id", BY_WORKFLOW), ("sip_line", BY_SIP_LINE))


def _bytes_topic(app: Any, name: str) -> Any:
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw",
                     partitions=PARTITIONS)  # fmt: skip


def _count(app: Any, name: str, changes: Any, results: Any) -> None:
    table = app.Table(f"calls-by-{name}", default=int, partitions=PARTITIONS).tumbling(WINDOW_MS / 1000)

    async def count(stream: Any) -> AsyncIterator[None]:
        async for key, value in stream.items():
            table[key.decode()] += 1
            start = int(value) // WINDOW_MS * WINDOW_MS
            calls = table[key.decode()].current()
            await results.send(key=f"{key.decode()}|{start}".encode(), value=str(calls).encode())
            yield

    app.agent(changes, name=f"count-{name}")(count)


if __name__ == "__main__":
    tuned = "--tuned" in sys.argv
    app = build(Place.from_env(), tuned=tuned)
    arguments = ["--loop", "uvloop"] if tuned else []
    sys.argv = ["faust", *arguments, "worker", "-l", "warn", "--without-web"]
    app.main()
