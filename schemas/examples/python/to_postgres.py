"""Keeps calls, answers, dials and windows in PostgreSQL as they are now. Ctrl-C or SIGTERM ends it.

Each batch is one transaction, and its offsets are committed to Kafka after it. A crash in between repeats the batch,
which changes nothing: rows are written by their ids, and of one call or window only the highest revision stays. So a
correction also removes the answers and dials that are gone: read `calls` along with the other topics of a call, since
only it tells of a correction to no answers at all.
"""

import json
import os
import signal
import sys

import psycopg
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
DATABASE = os.environ.get("DATABASE", "postgresql:///calls")

TABLES = """
CREATE TABLE IF NOT EXISTS revisions (kind text, key text, revision int NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS calls (
    call_id text PRIMARY KEY, revision int NOT NULL, workflow_id text, disposition text, duration_s bigint,
    ended_at timestamptz, record jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    call_id text, position int, revision int NOT NULL, question_name text, state text, answer_text text,
    record jsonb NOT NULL, PRIMARY KEY (call_id, position));
CREATE TABLE IF NOT EXISTS call_attempts (
    final_call_id text, attempt_number int, revision int NOT NULL, disposition text, started_at timestamptz,
    record jsonb NOT NULL, PRIMARY KEY (final_call_id, attempt_number));
CREATE TABLE IF NOT EXISTS windows (
    dimension text, value text, window_start_at timestamptz, revision int NOT NULL, calls bigint, answered bigint,
    record jsonb NOT NULL, PRIMARY KEY (dimension, value, window_start_at));
CREATE TABLE IF NOT EXISTS set_aside (
    topic text, partition int, record_offset bigint, reason text, value bytea,
    PRIMARY KEY (topic, partition, record_offset));
"""
# Of a topic, by its name between `airudder.` and `.v1`: table, columns of the primary key, other columns.
COLUMNS = {
    "calls": ("calls", ("call_id",), ("revision", "workflow_id", "disposition", "duration_s", "ended_at")),
    "answers": ("answers", ("call_id", "position"), ("revision", "question_name", "state", "answer_text")),
    "call-attempts": ("call_attempts", ("final_call_id", "attempt_number"), ("revision", "disposition", "started_at")),
    "workflow-outcomes": ("windows", ("dimension", "value", "window_start_at"), ("revision", "calls", "answered")),
    "sip-line-outcomes": ("windows", ("dimension", "value", "window_start_at"), ("revision", "calls", "answered")),
}
OF_A_CALL = (("calls", "call_id"), ("answers", "call_id"), ("call_attempts", "final_call_id"))
NEWEST = """
INSERT INTO revisions VALUES (%s, %s, %s)
ON CONFLICT (kind, key) DO UPDATE SET revision = greatest(revisions.revision, excluded.revision) RETURNING revision
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
    with psycopg.connect(DATABASE, autocommit=True) as database:
        database.execute(TABLES)
        while not stops:
            records = consumer.consume(500, timeout=0.5)
            if not records:
                continue
            with database.transaction():
                for record in records:
                    handle(database, record, decode)
            commit(consumer)
    consumer.close()


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
        value = without_nul(decode(record.value() or b"", None))
        with database.transaction():  # a savepoint: what the database refuses spoils no other record
            save(database, record.topic(), without_nul(record.key().decode()), value)
    except Exception as error:
        if is_passing(error):
            raise  # end here; the batch is read again at the next start
        set_aside(database, record, error)


def save(database, topic, key, value):
    table, ids, others = COLUMNS[topic.split(".")[-2]]
    kind, revision = value["dimension"] if table == "windows" else "call", value["revision"]
    if revision < database.execute(NEWEST, (kind, key, revision)).fetchone()[0]:
        return
    if kind == "call" and revision > 1:
        for other, owner in OF_A_CALL:
            database.execute(f"DELETE FROM {other} WHERE {owner} = %s AND revision < %s", (key, revision))
    row = {name: value[name] for name in (*ids, *others)} | {"record": json.dumps(value, default=str)}
    changes = ", ".join(f"{name} = excluded.{name}" for name in row if name not in ids)
    database.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
        f" ON CONFLICT ({', '.join(ids)}) DO UPDATE SET {changes}",
        list(row.values()),
    )


def without_nul(value):
    """PostgreSQL's text takes no NUL: it becomes the six characters of its escape."""
    if isinstance(value, str):
        return value.replace("\0", "\\u0000")
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return [without_nul(item) for item in value] if isinstance(value, list) else value


def set_aside(database, record, error):
    place = record.topic(), record.partition(), record.offset()
    reason = f"{type(error).__name__}: {error}"
    print("set aside: {}[{}]@{} cannot be saved:".format(*place), reason, file=sys.stderr, flush=True)
    database.execute(
        "INSERT INTO set_aside VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", (*place, reason, record.value())
    )


def is_passing(error):
    """Whether the registry or the database is at fault, not the record. 404: the registry does not know its schema."""
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):  # an id too long for an index
        return False
    is_unwell = isinstance(error, SchemaRegistryError) and error.http_status_code != 404
    return is_unwell or isinstance(error, (TransportError, psycopg.OperationalError, psycopg.InterfaceError))


if __name__ == "__main__":
    main()
