"""schemas/README.md has every topic, record, header and module as the code has them, and none besides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from schemas import codec
from schemas.headers import TraceContext, headers_for
from schemas.topics import TOPICS, Topic
from tests.support.readmes import ROOT, tables, word, words

PAGE = ROOT / "schemas" / "README.md"
TABLES = tables(PAGE)
MIB = 1024 * 1024
PHONE = re.compile(r"(^|\.)(callee|caller)(_number)?$")
SAID = re.compile(r"(^|\.)(answer|answer_text\w*|ner_slots|event_labels?|intention\w*|variables|case_id|body)$")
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


def test_every_record_has_a_line() -> None:
    assert sorted(word(row["record"]) for row in TABLES["Records"]) == sorted({topic.record for topic in TOPICS})


def paths(node: Any, prefix: str = "") -> Iterator[str]:
    """The dotted path of every field in a schema."""
    if isinstance(node, list):
        for branch in node:
            yield from paths(branch, prefix)
    elif isinstance(node, dict):
        for field in node.get("fields", ()):
            yield prefix + field["name"]
            yield from paths(field["type"], f"{prefix}{field['name']}.")
        for inner in ("items", "values"):
            yield from paths(node.get(inner), prefix)


def test_the_personal_fields_are_those_of_the_schemas_in_every_topic_of_their_record() -> None:
    rows = {word(row["record"]): row for row in TABLES["Personal data"]}
    for record in {topic.record for topic in TOPICS}:
        known = set(paths(json.loads(codec.schema_text(record))))
        numbers = {path for path in known if PHONE.search(path)}
        said = {path for path in known if SAID.search(path)}
        if record not in rows:
            assert not numbers | said, record
            continue
        row = rows[record]
        named = set(words(row["said, or known about the callee"]))
        assert set(words(row["topics"])) == {topic.name for topic in TOPICS if topic.record == record}
        assert set(words(row["phone numbers"])) == (numbers or {path for path in ("body", "value") if path in known})
        assert said <= named <= known, record


def test_every_header_has_a_row() -> None:
    trace = TraceContext("1" * 32, "01", b"a=b")
    names = {name for name, _ in headers_for("Call", "1" * 32, "/airudder/streams", 0, trace, synthetic=True)}

    assert {word(row["header"]) for row in TABLES["Headers"]} == names | {BY_TOOLS}


def test_every_module_is_named() -> None:
    named = {name for row in TABLES["Where things are"] for name in words(row["file"])}
    modules = {path.name for path in (ROOT / "schemas").glob("*.py")} - {"__init__.py"}
    folders = {f"{path.name}/" for path in (ROOT / "schemas").iterdir() if path.is_dir()} - {"__pycache__/"}

    assert named == modules | folders
