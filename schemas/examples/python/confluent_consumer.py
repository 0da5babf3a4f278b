"""Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there."""

import json
import os
import signal
import sys

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer
from httpx2 import TransportError

BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
TOPIC = os.environ.get("TOPIC", "airudder.calls.v1")
GROUP = os.environ.get("GROUP", "my-service")
REMEMBERED = 100_000  # ids and keys that are kept in memory; a repeat or a correction comes within minutes, as a rule
SHOWN = ("disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered")


def main():
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP_SERVERS,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,  # what is committed is what was handled: see store_offsets below
        }
    )
    consumer.subscribe([TOPIC])
    read = AvroDeserializer(SchemaRegistryClient({"url": REGISTRY_URL}))
    accept, stops = Accept(), []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(True))
    while not stops:
        record = consumer.poll(0.5)
        if record is None:
            continue
        if record.error():
            raise KafkaException(record.error())
        handle(record, read, accept)
        consumer.store_offsets(record)
    consumer.close()  # commits what is stored


def handle(record, read, accept):
    headers = dict(record.headers() or ())
    if "synthetic" in headers:
        return  # a probe
    try:
        value = read(record.value() or b"", None)
    except Exception as error:
        if is_of_the_registry(error):
            raise  # end here: the record is not at fault, and is read again at the next start
        set_aside(record, error)
        return
    ce_id, key = headers["ce_id"].decode(), record.key().decode()
    revision = value.get("revision")
    if accept(ce_id, key, revision):
        work_with(record.topic(), ce_id, key, revision, value)


def is_of_the_registry(error):
    """Whether it is away or overloaded; 404 says that it does not know the schema."""
    unwell = isinstance(error, SchemaRegistryError) and error.http_status_code != 404
    return unwell or isinstance(error, TransportError)


class Accept:
    """Whether a record is news: no repeat of one seen before, and no lower revision of its key."""

    def __init__(self):
        self.seen, self.revisions = {}, {}

    def __call__(self, ce_id, key, revision):
        if ce_id in self.seen or (revision or 0) < self.revisions.get(key, 0):
            return False
        remember(self.seen, ce_id, True)
        remember(self.revisions, key, revision or 0)
        return True


def remember(known, name, value):
    known.pop(name, None)
    known[name] = value
    if len(known) > REMEMBERED:
        del known[next(iter(known))]  # the oldest


def set_aside(record, error):
    place = f"{record.topic()}[{record.partition()}]@{record.offset()}"
    print(f"set aside: {place} cannot be decoded: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def work_with(topic, ce_id, key, revision, value):
    """Your work. A higher `revision` of a key replaces what you had of it; words may be new."""
    shown = {name: value[name] for name in SHOWN if name in value}
    print(json.dumps({"topic": topic, "ce_id": ce_id, "key": key, "revision": revision, **shown}), flush=True)


if __name__ == "__main__":
    main()
