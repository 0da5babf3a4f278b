"""An AsyncAPI document of ours, read for people: what a page of each topic shows. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schemas.documents.fields import Field, fields_of

Json = Mapping[str, Any]


@dataclass(frozen=True)
class TopicPage:
    """One topic. facts: name and value, in the order to show; promises: name and sentence; example: as JSON texts."""

    name: str
    topic: str
    record: str
    doc: str
    key: str
    partitions: int
    facts: dict[str, str]
    promises: dict[str, str]
    fields: list[Field]
    example_key: str
    example_headers: str
    example_value: str


@dataclass(frozen=True)
class HeaderRow:
    """One header of the records."""

    name: str
    is_required: bool
    doc: str


def topic_pages(document: Json, prefix: str = "") -> list[TopicPage]:
    """Every topic of a document, in its order. prefix: AIRUDDER_TOPIC_PREFIX, for the real names."""
    return [_page(document, name, channel, prefix) for name, channel in document["channels"].items()]


def header_rows(document: Json) -> list[HeaderRow]:
    """The headers that the records share."""
    schema = document["components"]["schemas"]["Headers"]
    return [
        HeaderRow(name, name in schema["required"], header["description"])
        for name, header in schema["properties"].items()
    ]


def _page(document: Json, name: str, channel: Json, prefix: str) -> TopicPage:
    message = document["components"]["messages"][name]
    binding = message["bindings"]["kafka"]
    [example] = message["examples"]
    return TopicPage(
        name=name,
        topic=prefix + channel["address"],
        record=message["title"],
        doc=channel["description"],
        key=channel["x-key"],
        partitions=channel["bindings"]["kafka"]["partitions"],
        facts=_facts(channel, message, prefix),
        promises={about: document["x-promises"][about] for about in channel["x-promises"]},
        fields=list(fields_of(document["components"]["schemas"][message["title"]]["schema"])),
        example_key=binding["key"]["examples"][0],
        example_headers=_json(example["headers"]),
        example_value=_json(example["payload"]),
    )


def _facts(channel: Json, message: Json, prefix: str) -> dict[str, str]:
    config = channel["bindings"]["kafka"]["topicConfiguration"]
    retention = timedelta(milliseconds=config["retention.ms"])
    return {
        "topic": prefix + channel["address"],
        "key": channel["x-key"],
        "record": f"airudder.{message['title']}",
        "ce_type": message["name"],
        "subject": prefix + channel["x-subject"],
        "compatibility": channel["x-compatibility"],
        "partitions": channel["x-partitions"],
        "replicas": channel["x-replicas"],
        "cleanup": ", ".join(config["cleanup.policy"]),
        "retention": f"{retention // timedelta(days=1)} days",
        "codec": channel["x-codec"],
        "largest batch": f"{config['max.message.bytes'] // 1024**2} MiB",
        "owner": f"the {channel['x-owner']}",
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
