"""The local registry keeps its schema ids, whatever ends it."""

from __future__ import annotations

import json
import urllib.request

from tests.conftest import StartRegistry

SCHEMA = {"type": "record", "name": "Call", "namespace": "airudder", "fields": [{"name": "id", "type": "string"}]}
OTHER = {**SCHEMA, "name": "Answer"}


def call(url: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as response:
        return json.load(response)


def register(url: str, subject: str, schema: object) -> int:
    answer = call(f"{url}/subjects/{subject}/versions", {"schema": json.dumps(schema)})
    assert isinstance(answer, dict)
    return int(answer["id"])


def test_a_schema_is_registered_and_read_back(registry_url: str) -> None:
    schema_id = register(registry_url, "local-read-back-value", SCHEMA)

    answer = call(f"{registry_url}/schemas/ids/{schema_id}")

    assert isinstance(answer, dict)
    assert json.loads(answer["schema"]) == SCHEMA


def test_ids_outlive_a_kill_right_after_the_answer(start_registry: StartRegistry) -> None:
    registry = start_registry()
    ids = [register(registry.url, "calls-value", SCHEMA), register(registry.url, "answers-value", OTHER)]

    registry.kill()
    registry.start()

    assert call(f"{registry.url}/subjects") == ["answers-value", "calls-value"]
    assert register(registry.url, "new-value", {**SCHEMA, "name": "New"}) not in ids
    assert [register(registry.url, "calls-value", SCHEMA), register(registry.url, "answers-value", OTHER)] == ids
