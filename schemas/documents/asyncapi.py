"""The AsyncAPI document of the public topics, built from what the code declares. Pure but for the package's own files.

Source: AsyncAPI 3.1.0; its Kafka binding 0.5.0.
"""

import json
from typing import Any, Final

from schemas.codec import schema_text
from schemas.documents.examples import example_of
from schemas.documents.headers import headers_schema
from schemas.documents.promises import PROMISES, promises_of
from schemas.runtime.build import DISTRIBUTION, this_build
from schemas.topics import DEFAULT_PARTITIONS, OUTPUTS, Topic

Json = dict[str, Any]

BINDING: Final = "0.5.0"
AVRO: Final = "application/vnd.apache.avro;version=1.9.0"
REPLICAS: Final = "as many as brokers, up to 3 (STREAMS_REPLICATION_FACTOR); with 3, two copies acknowledge each record"
DESCRIPTION: Final = """\
AiRudder's callbacks as verified streams, and the windowed outcomes of calls. The document is written from the
product's side: what it sends, you receive.

Values are in the Confluent wire format: the byte 0x00, the schema's id as 4 big-endian bytes, Avro binary. A record's
timestamp is its arrival at the broker (LogAppendTime). Instants in records are UTC epoch milliseconds. In the examples
bytes are base64. AIRUDDER_TOPIC_PREFIX of an installation, empty by default, goes before every topic and subject.
"""


def document() -> Json:
    """The whole document, ready for YAML or JSON."""
    return {
        "asyncapi": "3.1.0",
        "info": _info(),
        "defaultContentType": "application/avro",
        "servers": _servers(),
        "channels": {topic.short_name: _channel(topic) for topic in OUTPUTS},
        "operations": dict(operation for topic in OUTPUTS for operation in _operations(topic)),
        "components": {
            "messages": {topic.short_name: _message(topic) for topic in OUTPUTS},
            "schemas": {"Headers": headers_schema(), **_record_schemas()},
        },
        "x-promises": {promise.about: promise.text for promise in PROMISES},
    }


def _info() -> Json:
    return {
        "title": "AiRudder streams",
        "version": this_build().version,
        "description": DESCRIPTION,
        "contact": {"name": f"The {DISTRIBUTION} maintainers"},
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [{"name": "kafka"}, {"name": "avro"}, {"name": "cloudevents"}],
    }


def _servers() -> Json:
    return {
        "kafka": {
            "host": "{host}:{port}",
            "protocol": "kafka",
            "protocolVersion": "4.2",
            "description": "A broker (KAFKA_BOOTSTRAP_SERVERS), and the registry of the schemas (SCHEMA_REGISTRY_URL).",
            "variables": {
                "host": {"default": "127.0.0.1", "description": "A broker's name or address."},
                "port": {"default": "9092", "description": "Its port."},
            },
            "bindings": {
                "kafka": {
                    "schemaRegistryUrl": "http://127.0.0.1:8081/apis/ccompat/v7",
                    "schemaRegistryVendor": "confluent",
                    "bindingVersion": BINDING,
                }
            },
        }
    }


def _channel(topic: Topic) -> Json:
    fields = {field["name"] for field in _schema(topic)["fields"]}
    return {
        "address": topic.name,
        "title": topic.short_name,
        "description": _schema(topic)["doc"],
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {topic.record: {"$ref": f"#/components/messages/{topic.short_name}"}},
        "bindings": {"kafka": _topic_binding(topic)},
        "x-owner": topic.writer,
        "x-key": topic.key,
        "x-subject": topic.subject,
        "x-compatibility": "FULL_TRANSITIVE",
        "x-codec": "zstd, or what KAFKA_COMPRESSION_TYPE names",
        "x-partitions": f"{DEFAULT_PARTITIONS}, or STREAMS_PARTITIONS when the topics were made; for life",
        "x-replicas": REPLICAS,
        "x-promises": [promise.about for promise in promises_of(topic, fields)],
    }


def _topic_binding(topic: Topic) -> Json:
    config = topic.config()
    return {
        "topic": topic.name,
        "partitions": DEFAULT_PARTITIONS,
        "topicConfiguration": {
            **config,
            "cleanup.policy": config["cleanup.policy"].split(","),
            "retention.ms": int(config["retention.ms"]),
            "max.message.bytes": int(config["max.message.bytes"]),
        },
        "bindingVersion": BINDING,
    }


def _operations(topic: Topic) -> list[tuple[str, Json]]:
    """The product's own: it sends every topic. A subscriber's is the reverse."""
    name = topic.short_name
    channel = {"$ref": f"#/channels/{name}"}
    sent = {
        "action": "send",
        "channel": channel,
        "title": f"Send {name}",
        "summary": f"The {topic.writer} sends {topic.record} records; a subscriber receives them.",
        "messages": [{"$ref": f"#/channels/{name}/messages/{topic.record}"}],
    }
    return [(f"send-{name}", sent)]


def _message(topic: Topic) -> Json:
    example = example_of(topic)
    return {
        "name": example["headers"]["ce_type"],
        "title": topic.record,
        "summary": _schema(topic)["doc"],
        "contentType": "application/avro",
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"$ref": f"#/components/schemas/{topic.record}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key, "examples": [example["key"]]},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": BINDING,
            }
        },
        "examples": [
            {
                "name": "example",
                "summary": "What the system made of an example callback.",
                "headers": example["headers"],
                "payload": example["value"],
            }
        ],
    }


def _record_schemas() -> Json:
    topics = {topic.record: topic for topic in OUTPUTS}
    return {record: {"schemaFormat": AVRO, "schema": _schema(topic)} for record, topic in topics.items()}


def _schema(topic: Topic) -> Json:
    schema: Json = json.loads(schema_text(topic.record))
    return schema
