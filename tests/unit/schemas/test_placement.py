"""The number of partitions is for life; what differs is named with the way out."""

from __future__ import annotations

from schemas.placement import WAY_OUT, changed_counts, unequal_counts
from schemas.topics import CALLBACKS, CALLS, REKEYED_DETAILS


def test_a_number_that_stays_is_no_fault() -> None:
    assert changed_counts({"a": 3, "b": 5}, {"a": 3, "b": 5, "c": 9}) == ""


def test_what_changed_and_what_is_gone_are_named_and_what_was_not_looked_at_is_not() -> None:
    fault = changed_counts({"a": 3, "b": 5, "c": 1, "d": 2}, {"a": 4, "b": 0, "c": 1})

    assert fault == f"the number of partitions changed (a: 3, now 4, b: 5, now 0): {WAY_OUT}"


def test_topics_that_are_read_together_must_have_equal_numbers_as_far_as_they_can_be_seen() -> None:
    name, other = CALLBACKS.name, REKEYED_DETAILS.name

    assert unequal_counts({name: 3, other: 3, CALLS.name: 7}) == unequal_counts({name: 3, other: 0}) == ""
    assert f"{name}: 4, {other}: 3" in unequal_counts({name: 4, other: 3})
