"""The documents of the topics say what the code does: topics, schemas, headers, examples, personal data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own, for one call
import msgspec
import pytest
import yaml
from typer.testing import CliRunner

import schemas.__main__ as command
from schemas import codec
from schemas.documents.files import ASYNCAPI, TOPICS, documents, stale
from schemas.documents.headers import HEADERS
from schemas.headers import REPLAYED_FROM, TraceContext, headers_for
from schemas.records.types import TYPES
from schemas.topics import DEFAULT_PARTITIONS, Topic
from schemas.topics import TOPICS as DECLARED
from tests.support.readmes import ROOT, tables, word, words

FOLDER = ROOT / "schemas"
DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / ASYNCAPI).read_text(encoding="utf-8"))
PUBLIC = [topic for topic in DECLARED if topic.is_output]
FIELDS = tables(FOLDER / TOPICS)
CONTENT = "said, or known about the callee (`CONTENT`)"
every_topic = pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.short_name)


def message(topic: Topic) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["components"]["messages"][topic.short_name]
    return found


# -- the files


def test_no_document_is_stale() -> None:
    assert stale(FOLDER, documents()) == []


@pytest.mark.parametrize("name", [ASYNCAPI, TOPICS])
def test_a_stale_document_is_told_with_the_remedy_and_written_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    runner = CliRunner()
    runner.invoke(command.app, ["asyncapi"])
    fresh = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(fresh.replace("call_id", "callid", 1), encoding="utf-8")

    checked = runner.invoke(command.app, ["asyncapi", "--check"])
    assert (checked.exit_code, checked.stdout) == (1, "")
    assert checked.stderr == f"schemas/{name}: is stale: run python -m schemas asyncapi\n"
    written = runner.invoke(command.app, ["asyncapi"])
    assert (written.exit_code, written.stdout) == (0, f"schemas/{name}: written\n")
    assert (tmp_path / name).read_text(encoding="utf-8") == fresh
    assert runner.invoke(command.app, ["asyncapi", "--check"]).exit_code == 0


# -- the topics


@every_topic
def test_a_topic_is_described_as_it_is_made(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.short_name]
    binding = channel["bindings"]["kafka"]
    config = {**binding["topicConfiguration"]}
    config["cleanup.policy"] = ",".join(config["cleanup.policy"])

    assert channel["address"] == binding["topic"] == topic.name
    assert {name: str(value) for name, value in config.items()} == topic.config()
    assert (binding["partitions"], channel["x-owner"]) == (DEFAULT_PARTITIONS, topic.writer)
    assert (channel["x-key"], message(topic)["bindings"]["kafka"]["key"]["description"]) == (topic.key, topic.key)


def test_no_other_topic_is_described() -> None:
    assert list(DOCUMENT["channels"]) == [topic.short_name for topic in PUBLIC]


@every_topic
def test_the_payload_is_the_schema_that_is_registered_with_its_personal_tags(topic: Topic) -> None:
    payload = DOCUMENT["components"]["schemas"][topic.record]

    assert message(topic)["payload"] == {"$ref": f"#/components/schemas/{topic.record}"}
    assert payload["schema"] == json.loads(codec.schema_text(topic.record))


@every_topic
def test_the_tables_have_every_field_once_and_mark_what_the_readme_says_is_personal(topic: Topic) -> None:
    shown_at = next(each for each in PUBLIC if each.record == topic.record)  # the first topic of a record has its table
    rows = {word(row["field"]): row["personal"] for row in FIELDS[shown_at.short_name]}
    by_record = {word(row["record"]): row for row in tables(FOLDER / "README.md")["Personal data"]}
    readme = by_record.get(topic.record, {})

    assert [name for name in rows if "." not in name] == [
        field["name"] for field in json.loads(codec.schema_text(topic.record))["fields"]
    ]
    for kind, column in {"phone number": "phone numbers (`PHONE`)", "about the callee": CONTENT}.items():
        assert {name for name, personal in rows.items() if kind in personal} == set(words(readme.get(column, "")))


# -- the examples


@every_topic
def test_the_example_is_a_record_of_the_topic_with_every_field(topic: Topic) -> None:
    [example] = message(topic)["examples"]
    record = msgspec.json.decode(msgspec.json.encode(example["payload"]), type=TYPES[topic.record])
    wire = codec.encode(1, record)

    assert codec.decode(wire, codec.parsed_schema(topic.record), TYPES[topic.record]) == record
    assert msgspec.json.decode(msgspec.json.encode(record)) == example["payload"]
    assert example["headers"]["ce_type"] == message(topic)["name"]


@every_topic
def test_the_examples_headers_fit_the_headers_that_are_described(topic: Topic) -> None:
    [example] = message(topic)["examples"]
    schema = {**DOCUMENT["components"]["schemas"]["Headers"], "additionalProperties": False}

    jsonschema.validate(example["headers"], schema)


# -- the headers


def test_every_header_is_described_and_no_other() -> None:
    trace = TraceContext("1" * 32, "01", b"a=b")
    written = {name for name, _ in headers_for("Call", "1" * 32, "/airudder/streams", 0, trace, synthetic=True)}

    assert {header.name for header in HEADERS} == written | {REPLAYED_FROM}


def test_the_readme_has_the_headers_as_the_documents_have_them() -> None:
    rows = {word(row["header"]): (row["on"], row["value"]) for row in tables(FOLDER / "README.md")["Headers"]}

    assert rows == {header.name: (header.on, header.value) for header in HEADERS}
