"""Today's schemas are released, and may follow every version that ever was. `python -m schemas check` says the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from schemas.codec import schema_text
from schemas.evolution.compatibility import faults_between
from schemas.evolution.releases import Releases
from tests.support.readmes import ROOT

CALL = schema_text("Call")


def test_every_schema_may_follow_its_released_versions_and_is_the_last_of_them() -> None:
    faults = Releases().check()

    assert not faults, "\n".join(faults)


# -- the page


def without(name: str) -> Any:
    schema = json.loads(CALL)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != name]
    return schema


def changed(change: Callable[[list[dict[str, Any]]], object]) -> Any:
    schema = json.loads(CALL)
    change(schema["fields"])
    return schema


def in_micros(fields: list[dict[str, Any]]) -> None:
    ended_at = next(field for field in fields if field["name"] == "ended_at")
    ended_at["type"]["logicalType"] = "timestamp-micros"


def test_the_readme_shows_what_the_check_says() -> None:
    candidates = (
        without("task_name"),
        without("call_id"),
        changed(lambda fields: fields.append({"name": "country", "type": "string"})),
        changed(in_micros),
    )
    lines = [fault.line("Call", "version 1") for one in candidates for fault in faults_between(json.loads(CALL), one)]

    shown = re.findall(r"^Call\..+", (ROOT / "schemas" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == lines
