"""schemas/README.md has every topic, record, header and module as the code has them, and none besides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from schemas import codec
from schemas.documents.promises import PROMISES
from schemas.evolution.soundness import TAGS
from schemas.headers import TraceContext, headers_for
from schemas.topics import TOPICS, Topic
from streams.tools.examples.catalogue import LANGUAGES
from tests.support.readmes import ROOT, Row, tables, word, words

PAGE = ROOT / "schemas" / "README.md"
TABLES = tables(PAGE)
CLIENTS = [row for row in TABLES["Subscribe in five minutes"] if "client" in row]
VERSION = re.compile(r"(==|(?<=\w)@)[\w.]+")
MIB = 1024 * 1024
PERSONAL = re.compile(
    r"(^|\.)((callee|caller)(_number)?|answer|answer_text\w*|ner_slots|event_labels?|intention\w*|variables|case_id|body)$"
)
BY_TOOLS = "replayed_from"  # written by the replay tools of gateway and streams, beside the others


def row_of(topic: Topic) -> dict[str, str]:
    return {
        "topic": f"`{topic.name}`",
        "key": topic.key,
        "record": f"`{topic.record}`",
        "writer": topic.writer,
        "cleanup": topic.cleanup,
        "retention": f"{topic.retention // timedelta(days=1)} days",
        "batch limit": f"{topic.max_bytes // MIB} MiB",
        "output": "yes" if topic.is_output else "no",
    }


def test_every_topic_has_the_row_that_its_declaration_gives() -> None:
    assert TABLES["Topics"] == [row_of(topic) for topic in TOPICS]


@pytest.mark.parametrize("row", CLIENTS, ids=lambda row: row["client"])
def test_a_client_is_installed_as_its_example_is(row: Row) -> None:
    example = LANGUAGES[word(row["example"])]
    told = words(row["install"])
    if row["client"].startswith("Java"):
        pom = (ROOT / "schemas" / "examples" / "java" / "pom.xml").read_text(encoding="utf-8")
        assert all(f"<artifactId>{artifact.partition(':')[2]}</artifactId>" in pom for artifact in told)
    else:
        assert VERSION.sub("", example.install(example.folder)).replace("'", "").endswith(told[0].replace("'", ""))


def test_every_example_that_reads_any_topic_has_a_client() -> None:
    assert [word(row["example"]) for row in CLIENTS] == [
        name for name, example in LANGUAGES.items() if len(example.topics) == 1
    ]


def test_the_promises_are_those_of_the_documents() -> None:
    assert TABLES["The promise"] == [{"about": promise.about, "promise": promise.text} for promise in PROMISES]


def test_every_record_has_a_line() -> None:
    assert sorted(word(row["record"]) for row in TABLES["Records"]) == sorted({topic.record for topic in TOPICS})


def paths(node: Any, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """The dotted path of every field in a schema, and its tags."""
    if isinstance(node, list):
        for branch in node:
            yield from paths(branch, prefix)
    elif isinstance(node, dict):
        for field in node.get("fields", ()):
            yield prefix + field["name"], set(field.get(TAGS, ()))
            yield from paths(field["type"], f"{prefix}{field['name']}.")
        for inner in ("items", "values"):
            yield from paths(node.get(inner), prefix)


def tagged(record: str, tag: str) -> set[str]:
    return {path for path, tags in paths(json.loads(codec.schema_text(record))) if tag in tags}


def test_the_personal_fields_are_those_that_the_schemas_tag_in_every_topic_of_their_record() -> None:
    rows = {word(row["record"]): row for row in TABLES["Personal data"]}
    personal = {record for topic in TOPICS if tagged(record := topic.record, "PII")}

    assert rows.keys() == personal
    for record, row in rows.items():
        assert set(words(row["topics"])) == {topic.name for topic in TOPICS if topic.record == record}
        assert set(words(row["phone numbers (`PHONE`)"])) == tagged(record, "PHONE")
        assert set(words(row["said, or known about the callee (`CONTENT`)"])) == tagged(record, "CONTENT")


def test_every_field_with_a_personal_name_is_tagged_as_a_whole() -> None:
    for record in {topic.record for topic in TOPICS}:
        known = dict(paths(json.loads(codec.schema_text(record))))
        assert {path for path in known if PERSONAL.search(path)} <= tagged(record, "PII"), record
        assert tagged(record, "PII") == tagged(record, "PHONE") | tagged(record, "CONTENT"), record
        assert {tag for tags in known.values() for tag in tags} <= {"PII", "PHONE", "CONTENT"}, record


def test_every_header_has_a_row() -> None:
    trace = TraceContext("1" * 32, "01", b"a=b")
    names = {name for name, _ in headers_for("Call", "1" * 32, "/airudder/streams", 0, trace, synthetic=True)}

    assert {word(row["header"]) for row in TABLES["Headers"]} == names | {BY_TOOLS}


def test_every_module_is_named() -> None:
    named = {name for row in TABLES["Where things are"] for name in words(row["file"])}
    modules = {path.name for path in (ROOT / "schemas").glob("*.py")} - {"__init__.py"}
    folders = {f"{path.name}/" for path in (ROOT / "schemas").iterdir() if path.is_dir()} - {"__pycache__/"}

    assert named == modules | folders
