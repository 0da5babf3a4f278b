"""A registry's refusal in our words: which version is in the way, why, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.codec import schema_text
from schemas.evolution import refusals
from schemas.evolution.compatibility import shape
from schemas.evolution.refusals import refusal_in_words

CALL: dict[str, Any] = json.loads(schema_text("Call"))
APPLY = "run `apply`"


def without(name: str) -> str:
    return json.dumps({**CALL, "fields": [field for field in CALL["fields"] if field["name"] != name]})


def of(*versions: str) -> list[str]:
    return refusal_in_words("s-value", "Call", dict(enumerate(versions, 1)), APPLY).splitlines()


def test_a_foreign_version_in_the_way_is_to_be_deleted() -> None:
    foreign = json.dumps({"type": "record", "name": "Call", "fields": [{"name": "call_id", "type": "long"}]})

    first, line = of(foreign)

    assert first == "subject s-value refuses this release's Call:"
    assert line.startswith("  version 1 there is foreign, and in the way (Call: the record's name was Call and is")
    assert line.endswith("airudder.Call); delete that version, and run `apply`")


@pytest.mark.parametrize("text", ["", "no JSON", '{"type": "nope"}'])
def test_what_cannot_be_read_is_foreign(text: str) -> None:
    assert of(text)[1] == "  version 1 there is foreign, and in the way; delete that version, and run `apply`"


def test_a_released_version_stays_and_our_schema_must_change(monkeypatch: pytest.MonkeyPatch) -> None:
    later = json.dumps({**CALL, "fields": [*CALL["fields"], {"name": "country", "type": "string", "default": ""}]})
    monkeypatch.setattr(refusals, "_released", lambda record: [shape(json.loads(later))])

    assert of(later)[1:] == [
        "  Call.country, against version 1: it was removed; put it back; if it is to leave for good, add it to "
        "`retired` of its record"
    ]


def test_a_version_that_ours_may_follow_is_not_in_the_way() -> None:
    assert of(without("task_name"), schema_text("Call")) == [
        "subject s-value refuses this release's Call:",
        "  no version there explains it: compare the rule of the subject with FULL_TRANSITIVE",
    ]
