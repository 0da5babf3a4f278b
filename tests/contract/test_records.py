"""Frozen types and Avro schemas say the same, field for field; and a field can be added without breaking anybody."""

from __future__ import annotations

import json
from importlib.resources import files
from io import BytesIO
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import fastavro
import msgspec
import pytest

from schemas.codec import parse, schema_text
from schemas.records.record import Record
from schemas.records.types import TYPES
from schemas.topics import TOPICS
from tests.support.records import EVERY_RECORD

FILES = sorted(path.name for path in files("schemas").joinpath("avro").iterdir() if path.name.endswith(".avsc"))
NAMES = [name.removeprefix("airudder.").removesuffix(".avsc") for name in FILES]
EXAMPLES = {type(record).__name__: record for record in EVERY_RECORD}
JSON = dict[str, Any]

AVRO_OF: dict[Any, str] = {str: "string", bool: "boolean", bytes: "bytes", type(None): "null"}


def record_schemas(node: Any) -> list[JSON]:
    """All record types defined in a schema, the outer one first."""
    if isinstance(node, list):
        return [found for item in node for found in record_schemas(item)]
    if not isinstance(node, dict):
        return []
    inner = [found for key in ("type", "items", "values") if key in node for found in record_schemas(node[key])]
    if node.get("type") == "record":
        return [node, *(found for one in node["fields"] for found in record_schemas(one["type"]))]
    return inner


ALL_SCHEMAS = [
    pytest.param(schema, id=f"{name}.{schema['name']}")
    for name in NAMES
    for schema in record_schemas(json.loads(schema_text(name)))
]


def plain(avro: Any) -> Any:
    """An Avro type in few words: records by name, long and int both as integer."""
    if isinstance(avro, list):
        return tuple(plain(branch) for branch in avro)
    if isinstance(avro, str):
        return {"int": "integer", "long": "integer"}.get(avro, avro)
    match avro["type"]:
        case "record":
            return avro["name"]
        case "array":
            return ("array", plain(avro["items"]))
        case "map":
            return ("map", plain(avro["values"]))
        case other:
            return plain(other)


def plain_of(python: Any) -> Any:
    """The same words for a Python type."""
    if get_origin(python) in (Union, UnionType):
        branches = get_args(python)
        assert branches[-1] is type(None), "a union is a type or None"
        return ("null", *(plain_of(branch) for branch in branches[:-1]))
    if get_origin(python) is list:
        return ("array", plain_of(get_args(python)[0]))
    if get_origin(python) is dict:
        assert get_args(python)[0] is str, "Avro's maps have text as keys"
        return ("map", plain_of(get_args(python)[1]))
    if python is int:
        return "integer"
    return AVRO_OF.get(python, python.__name__)


def type_of(schema: JSON) -> type[Record]:
    return TYPES[schema["name"]]


def test_each_record_of_a_topic_has_its_file_and_each_file_its_topic() -> None:
    assert sorted({topic.record for topic in TOPICS}) == sorted(NAMES)


def test_each_type_has_its_schema() -> None:
    described = {schema["name"] for name in NAMES for schema in record_schemas(json.loads(schema_text(name)))}

    assert TYPES.keys() == described


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_named_after_its_record(name: str) -> None:
    schema = json.loads(schema_text(name))

    assert (schema["namespace"], schema["name"]) == ("airudder", name)


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_types_and_schemas_agree_field_for_field_and_in_order(schema: JSON) -> None:
    hints = get_type_hints(type_of(schema))
    fields = {field.name: plain_of(hints[field.name]) for field in msgspec.structs.fields(type_of(schema))}

    assert list(fields.items()) == [(one["name"], plain(one["type"])) for one in schema["fields"]]


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_types_and_schemas_agree_on_defaults(schema: JSON) -> None:
    defaults = {field.name: field for field in msgspec.structs.fields(type_of(schema))}
    for one in schema["fields"]:
        field = defaults[one["name"]]
        assert field.required == ("default" not in one), one["name"]
        if "default" in one:
            made = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            assert (made.decode("latin-1") if isinstance(made, bytes) else made) == one["default"], one["name"]


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_every_record_and_every_field_is_explained(schema: JSON) -> None:
    silent = [one["name"] for one in schema["fields"] if not one.get("doc", "").strip()]

    assert (bool(schema.get("doc", "").strip()), silent) == (True, [])


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_a_field_that_may_be_null_may_also_be_missing(schema: JSON) -> None:
    nullable = [one for one in schema["fields"] if isinstance(one["type"], list)]

    assert [one["name"] for one in nullable if one.get("default", "none") is not None] == []
    assert [one["name"] for one in nullable if one["type"][0] != "null"] == []


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_instants_are_milliseconds_and_nothing_else_is(schema: JSON) -> None:
    # created_at is the provider's own text.
    named = {one["name"] for one in schema["fields"] if one["name"].endswith("_at") and one["name"] != "created_at"}
    simple = [one for one in schema["fields"] if not record_schemas(one["type"])]

    assert named == {one["name"] for one in simple if "timestamp-millis" in json.dumps(one["type"])}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_snake_case(name: str) -> None:
    names = [one["name"] for schema in record_schemas(json.loads(schema_text(name))) for one in schema["fields"]]

    assert [field for field in names if field != field.lower() or "-" in field] == []


# Ids, keys, counts and the instants of windows: without them a record is none, and a count must not become 0 unseen.
WITHOUT_DEFAULT = {
    "Callback": "event_id",
    "WorkflowStatusChange": "event_id",
    "ChatbotSessionEnd": "event_id",
    "PredictiveDialerStatus": "event_id",
    "Event": "record_id event_id",
    "QuarantinedRequest": "event_id",
    "DeadLetter": "source_topic source_partition source_offset",
    "KeptHeader": "name",
    "Call": "record_id event_id call_id revision workflow_id answer_count attempt_count",
    "Answer": "record_id event_id call_id revision position workflow_id",
    "CallAttempt": "record_id event_id final_call_id revision attempt_number workflow_id",
    "QuestionOutcomes": "completed skipped broke_off not_reached",
    "LineWorkflowOutcomes": "attempts answered delivered pre_alert_failure",
}
NAMES_OF_A_WINDOW = {"dimension", "value", "window_start_at", "window_end_at", "revision"}
COUNT = {"long", "map of long", "list of long", "map of QuestionOutcomes", "map of LineWorkflowOutcomes"}


def counted(avro: Any) -> str:
    """The type of a count, in words."""
    match plain(avro):
        case ("map", of):
            return f"map of {'long' if of == 'integer' else of}"
        case ("array", of):
            return f"list of {'long' if of == 'integer' else of}"
        case "integer":
            return "long"
        case other:
            return str(other)


@pytest.mark.parametrize("schema", [one for one in ALL_SCHEMAS if not str(one.id).startswith("OutcomeChange")])
def test_every_field_but_ids_keys_counts_and_the_instants_of_windows_has_a_default(schema: JSON) -> None:
    needed = {one["name"]: one for one in schema["fields"] if "default" not in one}

    if schema["name"] == "WindowedOutcomes":
        assert needed.keys() >= NAMES_OF_A_WINDOW
        assert {counted(needed[name]["type"]) for name in needed.keys() - NAMES_OF_A_WINDOW} == COUNT
    else:
        assert needed.keys() == set(WITHOUT_DEFAULT.get(schema["name"], "").split())


# -- growth: FULL_TRANSITIVE means that old readers read new records and new readers old ones


def with_another_field(name: str) -> JSON:
    schema: JSON = json.loads(schema_text(name))
    schema["fields"].append({"name": "added_later", "type": ["null", "string"], "default": None, "doc": "New."})
    return schema


def carried(datum: JSON, writer: JSON, reader: JSON) -> Any:
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, parse(json.dumps(writer)), datum)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, parse(json.dumps(writer)), parse(json.dumps(reader)))


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_with_another_optional_field_reads_todays_records(name: str) -> None:
    datum = EXAMPLES[name].to_datum()

    read = carried(datum, json.loads(schema_text(name)), with_another_field(name))

    assert read == {**datum, "added_later": None}


@pytest.mark.parametrize("name", NAMES)
def test_todays_reader_reads_records_with_another_optional_field(name: str) -> None:
    datum = EXAMPLES[name].to_datum()

    read = carried({**datum, "added_later": "x"}, with_another_field(name), json.loads(schema_text(name)))

    assert read == datum
    assert type(EXAMPLES[name]).from_datum(read) == EXAMPLES[name]


@pytest.mark.parametrize("name", NAMES)
def test_todays_reader_cannot_read_records_that_lack_a_required_field(name: str) -> None:
    # So that the two tests above mean something.
    schema = json.loads(schema_text(name))
    required = next(one["name"] for one in schema["fields"] if "default" not in one)
    older = {**schema, "fields": [one for one in schema["fields"] if one["name"] != required]}
    datum = {name: value for name, value in EXAMPLES[name].to_datum().items() if name != required}

    with pytest.raises(fastavro.read.SchemaResolutionError):
        carried(datum, older, schema)
