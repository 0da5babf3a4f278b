"""Which records a workflow, a SIP line or a call chooses, and of which records none can be asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.topics import CALLS, TOPICS, Topic
from streams.tools.selecting import Wanted, has, names
from streams.topics.decoding import Decoded, plain
from tests.support.records import EVERY_RECORD, change, outcome

WITHOUT = {
    "workflow": {"QuarantinedRequest", "DeadLetter", "Event", "PredictiveDialerStatus"},
    "sip_line": {
        "QuarantinedRequest", "DeadLetter", "Event", "PredictiveDialerStatus", "WorkflowStatusChange",
        "ChatbotSessionEnd",
    },
    "call": {"QuarantinedRequest", "DeadLetter", "Event", "WorkflowStatusChange", "WindowedOutcomes"},
}  # fmt: skip


def decoded(value: Any, topic: Topic = CALLS, key: bytes = b"", fault: str = "") -> Decoded:
    stored: Any = SimpleNamespace(key=key, headers=[])
    return Decoded(topic, stored, value, fault)


@pytest.mark.parametrize("what", WITHOUT)
def test_what_a_record_does_not_name_cannot_be_asked_of_it(what: str) -> None:
    records = {topic.record for topic in TOPICS}

    assert {record for record in records if not has(record, what)} == WITHOUT[what]
    assert Wanted(**{what: "x"}).impossible("DeadLetter") == [what]


@pytest.mark.parametrize("record", EVERY_RECORD, ids=lambda record: type(record).__name__)
def test_a_record_names_what_its_kind_says_it_can(record: Any) -> None:
    value = plain(record.to_datum())
    for what, without in WITHOUT.items():
        is_named = bool(names(value, what))
        assert is_named is (type(record).__name__ not in without) or type(record).__name__ == "WindowedOutcomes"


def test_a_change_of_a_window_names_the_workflows_that_it_leaves_and_enters() -> None:
    moved = plain(change(removed=outcome(workflow_id="old"), added=outcome(workflow_id="new")).to_datum())

    assert names(moved, "workflow") == {"old", "new"}


def test_all_that_is_asked_must_be_named_and_what_cannot_be_read_may_be_it() -> None:
    value = {"workflow_id": "w", "sip_line": "l", "details": [{"call_id": "a"}, {"call_id": "b"}]}

    assert Wanted("w", "l", "b").matches(decoded(value))
    assert not Wanted("w", "other", "b").matches(decoded(value))
    assert Wanted(call="k").matches(decoded({}, key=b"k"))
    assert Wanted("w").matches(decoded(None, fault="no record"))
    assert not Wanted("w").matches(decoded(None))
