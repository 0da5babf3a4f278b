"""Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there."""

import asyncio
import io
import json
import os
import signal
import sys
import urllib.error
import urllib.request

import fastavro
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError

BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
TOPIC = os.environ.get("TOPIC", "airudder.calls.v1")
GROUP = os.environ.get("GROUP", "my-service")
REMEMBERED = 100_000  # ids and keys that are kept in memory
SHOWN = ("disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered")


async def main():
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=BOOTSTRAP_SERVERS,
        group_id=GROUP,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,  # see below: after the work
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await consumer.start()
    try:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=500)
            for record in (record for batch in batches.values() for record in batch):
                await handle(record)
            if batches:
                await commit(consumer)
    finally:
        await consumer.stop()


async def commit(consumer):
    try:
        await consumer.commit()
    except CommitFailedError:
        print("the partitions went to another consumer, which reads the last records again", file=sys.stderr)


async def handle(record):
    headers = dict(record.headers)
    if "synthetic" in headers:
        return  # a probe
    try:
        value = await decode(record.value)
        ce_id, key = headers["ce_id"].decode(), record.key.decode()
    except OSError:
        raise  # the registry is away: end here; the record is read again at the next start
    except Exception as error:
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        print(f"set aside: {place} cannot be read: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return
    if is_news(ce_id, key, value.get("revision", 0)):
        work_with(record.topic, ce_id, key, value)


seen, revisions, schemas = {}, {}, {}


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


async def decode(value):
    """The record in the Confluent wire format: a zero byte, 4 bytes of the schema's id, Avro."""
    if not value or value[0] != 0 or len(value) < 5:
        raise ValueError("not in the Confluent wire format")
    number = int.from_bytes(value[1:5], "big")
    if number not in schemas:
        schemas[number] = await asyncio.to_thread(fetch_schema, number)
    return fastavro.schemaless_reader(io.BytesIO(value[5:]), schemas[number])


def fetch_schema(number):
    try:
        with urllib.request.urlopen(f"{REGISTRY_URL}/schemas/ids/{number}", timeout=10) as answer:
            return fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise LookupError(f"the registry has no schema {number}") from None
        raise


def work_with(topic, ce_id, key, value):
    """Your work. A higher `revision` of a key replaces what you had of it; words may be new."""
    shown = {name: value[name] for name in SHOWN if name in value}
    line = {"topic": topic, "ce_id": ce_id, "key": key, "revision": value.get("revision"), **shown}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
