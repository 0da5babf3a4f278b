"""Released schemas, the real registry and our own check agree: what the check lets through, the registry takes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.codec import schema_text
from schemas.errors import RegistryError
from schemas.evolution.compatibility import faults_between
from schemas.evolution.releases import Releases, released_records
from schemas.evolution.soundness import faults_of
from schemas.registry import Registry
from schemas.topics import CALLS
from tests.support.clients import call, register
from tests.support.readmes import ROOT, tables
from tests.support.schema_mutations import OPERATORS, mutations

COUNT = 250
SEED = 20261128
INVALID = 422


def subject_of(record: str) -> str:
    return f"versions-of-{record}-value"


def hold(url: str, subject: str) -> None:
    rule = json.dumps({"compatibility": "FULL_TRANSITIVE"}).encode()
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(f"{url}/config/{subject}", rule, headers, method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()


@pytest.fixture(scope="module")
def released(registry_url: str) -> str:
    """The registry with each released version of each output record, in order, under the rule; then today's schema."""
    for record in released_records():
        hold(registry_url, subject_of(record))
        for text in Releases().versions(record).values():
            register(registry_url, subject_of(record), json.loads(text))
        register(registry_url, subject_of(record), json.loads(schema_text(record)))
    return registry_url


def test_the_registry_takes_all_released_versions_in_order_and_then_todays_schema(released: str) -> None:
    for record in released_records():
        newest = call(f"{released}/subjects/{subject_of(record)}/versions/latest")
        assert isinstance(newest, dict)
        assert json.loads(newest["schema"]) == json.loads(schema_text(record))


def takes(url: str, record: str, schema: Any) -> bool:
    """Whether the registry would take a schema after those of its record."""
    try:
        answer = call(
            f"{url}/compatibility/subjects/{subject_of(record)}/versions?verbose=true", {"schema": json.dumps(schema)}
        )
    except urllib.error.HTTPError as error:
        if error.code != INVALID:
            raise
        return False
    assert isinstance(answer, dict)
    return bool(answer["is_compatible"])


def test_the_check_is_never_more_lenient_than_the_registry(released: str) -> None:
    schemas = {record: json.loads(schema_text(record)) for record in released_records()}
    seen: Counter[tuple[bool, bool]] = Counter()
    lenient = []
    for record, change, mutant in mutations(schemas, COUNT, SEED):
        is_ours = not (faults_of(mutant) or faults_between(schemas[record], mutant))
        is_theirs = takes(released, record, mutant)
        seen[is_ours, is_theirs] += 1
        if is_ours and not is_theirs:
            lenient.append((record, change, mutant))

    assert lenient == []
    # Each verdict is met often enough to mean something: taken by both, refused by both, refused by ours alone.
    assert len(OPERATORS) * 10 <= sum(seen.values())
    assert min(seen[True, True], seen[False, False], seen[False, True]) >= 30, seen


async def test_a_refusal_says_what_is_in_the_way_and_what_to_do(released: str) -> None:
    foreign = {
        "type": "record",
        "name": "Call",
        "namespace": "airudder",
        "fields": [{"name": "call_id", "type": "long"}],
    }
    topic = replace(CALLS, name="refused.calls.v1")
    register(released, topic.subject, foreign)
    registry = Registry(released)
    with pytest.raises(RegistryError) as refusal:
        await registry.register([topic])
    await registry.aclose()

    assert str(refusal.value).splitlines() == [
        "subject refused.calls.v1-value refuses this release's Call:",
        "  version 1 there is foreign, and in the way (Call.call_id: its type was long and is string); delete that "
        "version, and run `python -m streams topics apply`",
    ]


# -- the page


def field_of(schema: Any, name: str) -> Any:
    return next(field for field in schema["fields"] if field["name"] == name)


def leave(schema: Any, name: str, **attributes: Any) -> None:
    schema["fields"].remove(field_of(schema, name))
    schema.update(attributes)


CHANGES: dict[str, Callable[[Any], object]] = {
    "a new field with a default": lambda call: call["fields"].append({"name": "new", "type": "long", "default": 0}),
    "another order of the fields": lambda call: call["fields"].reverse(),
    "better words in `doc`, other tags": lambda call: field_of(call, "callee").update(
        {"doc": "Better.", "confluent:tags": ["PII"]}
    ),
    "a field with a default leaves, and `retired` names it": lambda call: leave(call, "task_id", retired=["task_id"]),
    "a field with a default leaves": lambda call: leave(call, "task_id"),
    "a field with a default is renamed, with an alias or without": lambda call: field_of(call, "task_id").update(
        {"name": "job_id", "aliases": ["task_id"]}
    ),
    "`timestamp-millis` becomes `timestamp-micros`": lambda call: field_of(call, "ended_at")["type"].update(
        {"logicalType": "timestamp-micros"}
    ),
    "another default": lambda call: field_of(call, "task_id").update({"default": "-"}),
    "another namespace": lambda call: call.update({"namespace": "airudder.other"}),
    "a misspelt attribute": lambda call: field_of(call, "task_id").update({"defualt": ""}),
    "a new field without a default": lambda call: call["fields"].append({"name": "new", "type": "long"}),
    "a field without a default leaves": lambda call: leave(call, "call_id", retired=["call_id"]),
    "another type, also a wider one": lambda call: field_of(call, "revision").update({"type": "long"}),
    "a field may be null now": lambda call: field_of(call, "call_id").update({"type": ["null", "string"]}),
    "another name of the record": lambda call: call.update({"name": "PhoneCall"}),
}


def test_the_readme_says_what_registry_and_check_accept(released: str) -> None:
    said = {True: "accepts", False: "refuses"}
    rows = []
    for name, change in CHANGES.items():
        call_of_today, candidate = (json.loads(schema_text("Call")) for _ in range(2))
        change(candidate)
        is_ours = not (faults_of(candidate) or faults_between(call_of_today, candidate))
        rows.append({"change": name, "registry": said[takes(released, "Call", candidate)], "check": said[is_ours]})

    assert rows == tables(ROOT / "schemas" / "README.md")["How a schema grows"]
