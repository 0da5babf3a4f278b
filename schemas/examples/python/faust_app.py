"""Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there."""

import asyncio
import io
import json
import os
import sys
import urllib.error
import urllib.request

import fastavro
import faust

BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
TOPIC = os.environ.get("TOPIC", "airudder.calls.v1")
GROUP = os.environ.get("GROUP", "my-service")
REMEMBERED = 100_000  # ids and keys that are kept in memory
SHOWN = ("disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered")

app = faust.App(
    GROUP,
    broker=[f"kafka://{server}" for server in BOOTSTRAP_SERVERS.split(",")],
    consumer_auto_offset_reset="earliest",
    stream_wait_empty=False,  # at the end, leave what is not handled to the next start
    topic_allow_declare=False,  # create no topic, not even one of its own
    topic_disable_leader=True,
    web_enabled=False,
)
records = app.topic(TOPIC, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


@app.agent(records)
async def handle(stream):
    async for event in stream.noack().events():  # by itself Faust also commits what it stopped in the middle of
        await handle_message(event.message)
        event.ack()


async def handle_message(message):
    headers = dict(message.headers or ())
    if "synthetic" in headers:
        return  # a probe
    try:
        value = await decode(message.value)
        ce_id, key = headers["ce_id"].decode(), message.key.decode()
    except Exception as error:
        place = f"{message.topic}[{message.partition}]@{message.offset}"
        print(f"set aside: {place} cannot be read: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return
    if is_news(ce_id, key, value.get("revision", 0)):
        work_with(message.topic, ce_id, key, value)


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
    while number not in schemas:
        try:
            schemas[number] = await asyncio.to_thread(fetch_schema, number)
        except OSError as error:
            print(f"the schema registry is away: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(5)
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
    faust.Worker(app, loglevel="WARNING", stdout=sys.stderr, redirect_stdouts=False).execute_from_commandline()
