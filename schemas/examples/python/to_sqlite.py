"""Keeps calls, answers, dials and windows in an SQLite file as they are now. Ctrl-C or SIGTERM ends it.

Each batch is one transaction, and its offsets are committed to Kafka after it. A crash in between repeats the batch,
which changes nothing: rows are written by their ids, and of one call or window only the highest revision stays. So a
correction also removes the answers and dials that are gone: read `calls` along with the other topics of a call, since
only it tells of a correction to no answers at all.
"""

import json
import os
import signal
import sqlite3
import sys

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer
from httpx2 import TransportError

BOOTSTRAP_SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY_URL = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
TOPICS = os.environ.get(
    "TOPIC", "airudder.calls.v1,airudder.answers.v1,airudder.call-attempts.v1,airudder.workflow-outcomes.v1"
)
GROUP = os.environ.get("GROUP", "my-service")
DATABASE = os.environ.get("DATABASE", "calls.sqlite")

TABLES = """
CREATE TABLE IF NOT EXISTS revisions (kind, key, revision, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS calls (
    call_id, revision, workflow_id, disposition, duration_s, ended_at, record, PRIMARY KEY (call_id));
CREATE TABLE IF NOT EXISTS answers (
    call_id, position, revision, question_name, state, answer_text, record, PRIMARY KEY (call_id, position));
CREATE TABLE IF NOT EXISTS call_attempts (
    final_call_id, attempt_number, revision, disposition, started_at, record,
    PRIMARY KEY (final_call_id, attempt_number));
CREATE TABLE IF NOT EXISTS windows (
    dimension, value, window_start_at, revision, calls, answered, record,
    PRIMARY KEY (dimension, value, window_start_at));
CREATE TABLE IF NOT EXISTS set_aside (
    topic, partition, record_offset, reason, value, PRIMARY KEY (topic, partition, record_offset));
"""
TABLE_OF = {  # a topic, by its name between `airudder.` and `.v1`
    "calls": "calls",
    "answers": "answers",
    "call-attempts": "call_attempts",
    "workflow-outcomes": "windows",
    "sip-line-outcomes": "windows",
}
OF_A_CALL = (("calls", "call_id"), ("answers", "call_id"), ("call_attempts", "final_call_id"))
NEWEST = """
INSERT INTO revisions VALUES (?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET revision = max(revision, excluded.revision) RETURNING revision
"""


def main():
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP_SERVERS,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 10_000,  # how long the partitions of one that was killed wait for another
        }
    )
    consumer.subscribe(TOPICS.split(","))
    decode = AvroDeserializer(SchemaRegistryClient({"url": REGISTRY_URL}))
    stops = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(True))
    database = sqlite3.connect(DATABASE)
    database.executescript(TABLES)
    while not stops:
        records = consumer.consume(500, timeout=0.5)
        if not records:
            continue
        with database:  # one transaction
            for record in records:
                handle(database, record, decode)
        commit(consumer)
    consumer.close()
    database.close()


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        print(f"offsets are not committed, the last records may come again: {error}", file=sys.stderr, flush=True)


def handle(database, record, decode):
    if record.error():
        raise KafkaException(record.error())
    if "synthetic" in dict(record.headers() or ()):
        return  # a probe
    try:
        value = decode(record.value() or b"", None)
        save(database, record.topic(), record.key().decode(), value)
    except Exception as error:
        if is_passing(error):
            raise  # end here; the batch is read again at the next start
        set_aside(database, record, error)


def save(database, topic, key, value):
    table, revision = TABLE_OF[topic.split(".")[-2]], value["revision"]
    kind = value["dimension"] if table == "windows" else "call"
    if revision < database.execute(NEWEST, (kind, key, revision)).fetchone()[0]:
        return
    if kind == "call" and revision > 1:
        for other, owner in OF_A_CALL:
            database.execute(f"DELETE FROM {other} WHERE {owner} = ? AND revision < ?", (key, revision))
    columns = [column[1] for column in database.execute(f"PRAGMA table_info({table})")][:-1]
    row = [value[name].isoformat() if name.endswith("_at") and value[name] else value[name] for name in columns]
    row.append(json.dumps(value, default=str, ensure_ascii=False))
    database.execute(f"REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def set_aside(database, record, error):
    place = record.topic(), record.partition(), record.offset()
    reason = f"{type(error).__name__}: {error}"
    print("set aside: {}[{}]@{} cannot be saved:".format(*place), reason, file=sys.stderr, flush=True)
    database.execute("REPLACE INTO set_aside VALUES (?, ?, ?, ?, ?)", (*place, reason, record.value()))


def is_passing(error):
    """Whether the registry or the database is at fault, not the record. 404: the registry does not know its schema."""
    is_unwell = isinstance(error, SchemaRegistryError) and error.http_status_code != 404
    return is_unwell or isinstance(error, (TransportError, sqlite3.OperationalError))


if __name__ == "__main__":
    main()
