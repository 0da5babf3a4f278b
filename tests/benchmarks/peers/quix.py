"""Quix Streams: fan-out, group_by, tumbling count. Runs in an environment of its own (see quix_environment).

Its windows go by the timestamp of the Kafka record; ours is arrival, so event time is set before the re-keying, and the
re-keyed topic carries it. librdkafka hands records over in the order in which it fetched them, and a backlog is fetched
before anything is re-keyed: so the whole backlog is fanned out first and not one window counted meanwhile (seen: 0 of
3,200 when the last Call was written, all of them soon after). A run that is cut short has counted nothing. Smaller
fetches (16 kB, 200 messages) let both go on side by side at about the same cost in all; the defaults are kept.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.models import Serializer

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.benchmarks.peers.work import GRACE_MS, WINDOW_MS, Place, fan_out_callback

COMMIT_INTERVAL_S = 1.0


class Value(Serializer):  # type: ignore[misc]  # Quix is not installed where this is checked
    """The bytes of an Output."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        return value.value  # type: ignore[no-any-return]


class EndedAt(Serializer):  # type: ignore[misc]  # Quix is not installed where this is checked
    """A change: the end of the call in ms."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        return str(value.ended_at).encode()


class Count(Serializer):  # type: ignore[misc]  # Quix is not installed where this is checked
    """The second of a pair, in digits."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        return str(value[1]).encode()


def build(place: Place) -> Application:
    """The application with its topology."""
    app = Application(
        place.bootstrap,
        consumer_group=place.group,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_INTERVAL_S,
        state_dir=place.directory / "state",
        loglevel="WARNING",
        producer_extra_config={
            "compression.type": "zstd",
            "linger.ms": 5,
            "batch.size": 512 * 1024,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
        },
    )
    outputs = {topic.name: app.topic(topic.name, value_serializer=Value()) for topic in (CALLS, ANSWERS, CALL_ATTEMPTS)}
    callbacks = app.dataframe(app.topic(CALLBACKS.name, value_deserializer="bytes"))
    fanned = callbacks.apply(
        lambda value, key, at, headers: fan_out_callback(value, headers or [], place.ids), metadata=True
    ).set_timestamp(lambda fanned, key, at, headers: fanned.outcome.ended_at)
    (
        fanned.apply(lambda fanned: fanned.outputs, expand=True)
        .set_headers(lambda output, key, at, headers: output.headers)
        .to_topic(lambda output, key, at, headers: outputs[output.topic], key=lambda output: output.key)
    )
    _count(app, fanned, "by-workflow", "workflow_id", WORKFLOW_OUTCOMES.name)
    _count(app, fanned, "by-sip-line", "sip_line", SIP_LINE_OUTCOMES.name)
    return app


def _count(app: Application, fanned: Any, name: str, attribute: str, results: str) -> None:
    rekeyed = fanned.apply(lambda fanned: fanned.outcome).group_by(
        lambda outcome: getattr(outcome, attribute),
        name=name,
        value_serializer=EndedAt(),
        value_deserializer="bytes",
        key_serializer="str",
        key_deserializer="str",
    )
    windows = rekeyed.tumbling_window(WINDOW_MS, grace_ms=GRACE_MS).count().current()
    windows.apply(
        lambda window, key, at, headers: (f"{key}|{window['start']}", window["value"]), metadata=True
    ).to_topic(app.topic(results, value_serializer=Count(), key_serializer="str"), key=lambda pair: pair[0])


if __name__ == "__main__":
    build(Place.from_env()).run()
