"""The local registry keeps its schema ids, whatever ends it."""

from __future__ import annotations

import json

from tests.conftest import StartRegistry
from tests.support.clients import SCHEMA, call, register

OTHER = {**SCHEMA, "name": "Answer"}


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
