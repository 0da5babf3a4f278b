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
REMEMBERED = 100_000  # ids and keys that are kept in memory
SHOWN = ("disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered")


def main():
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP_SERVERS,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,  # see store_offsets: after the work
        }
    )
    consumer.subscribe([TOPIC])
    decode = AvroDeserializer(SchemaRegistryClient({"url": REGISTRY_URL}))
    stops = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(True))
    while not stops:
        record = consumer.poll(0.5)
        if record is None:
            continue
        if record.error():
            raise KafkaException(record.error())
        handle(record, decode)
        consumer.store_offsets(record)  # committed every 5 s
    consumer.close()  # commits the rest


def handle(record, decode):
    headers = dict(record.headers() or ())
    if "synthetic" in headers:
        return  # a probe
    try:
        value = decode(record.value() or b"", None)
        ce_id, key = headers["ce_id"].decode(), record.key().decode()
    except Exception as error:
        if is_of_the_registry(error):
            raise  # it is away: end here; the record is read again at the next start
        place = f"{record.topic()}[{record.partition()}]@{record.offset()}"
        print(f"set aside: {place} cannot be read: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return
    if is_news(ce_id, key, value.get("revision", 0)):
        work_with(record.topic(), ce_id, key, value)


def is_of_the_registry(error):
    """Whether the registry is at fault, not the record. 404: it does not know the record's schema."""
    is_unwell = isinstance(error, SchemaRegistryError) and error.http_status_code != 404
    return is_unwell or isinstance(error, TransportError)


seen, revisions = {}, {}


def is_news(ce_id, key, revision):
    """Whether it is no repeat of a record seen before, and no lower revision of its key."""
    if ce_id in seen or revision < revisions.get(key, 0):
        return False
    for known, name in ((seen, ce_id), (revisions, key)):
        known.pop(name, None)
        known[name] = revision
        if len(known) > REMEMBERED:
            del known[next(iter(known))]  # the oldest
    return True


def work_with(topic, ce_id, key, value):
    """Your work. A higher `revision` of a key replaces what you had of it; words may be new."""
    shown = {name: value[name] for name in SHOWN if name in value}
    line = {"topic": topic, "ce_id": ce_id, "key": key, "revision": value.get("revision"), **shown}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
