"""The range of an explanation: what is asked for, else since the alarm, else the last 15 minutes in whole panes."""

from __future__ import annotations

import pytest

from schemas.runtime import instants
from streams.monitor.errors import BadParameterError
from streams.monitor.lines.asked import MAX_SPAN_MS, explained_range
from tests.support.panes import NOON_MS, PANE_MS

NOW_MS = NOON_MS + 123_456
END_MS = NOON_MS + PANE_MS
ALARM_MS = NOON_MS - 7 * PANE_MS


@pytest.mark.parametrize(
    ("given", "since_ms", "expected"),
    [
        ({}, None, (END_MS - 3 * PANE_MS, END_MS)),
        ({}, ALARM_MS, (ALARM_MS, END_MS)),
        ({}, END_MS + PANE_MS, (END_MS - 3 * PANE_MS, END_MS)),
        ({"to": instants.text(NOON_MS)}, None, (NOON_MS - 3 * PANE_MS, NOON_MS)),
        ({"from": instants.text(NOON_MS)}, ALARM_MS, (NOON_MS, END_MS)),
        ({"from": "1999-01-01"}, None, (END_MS - MAX_SPAN_MS, END_MS)),
    ],
)
def test_the_range_is_what_was_asked_for_or_what_matters(
    given: dict[str, str], since_ms: int | None, expected: tuple[int, int]
) -> None:
    assert explained_range(given, since_ms, NOW_MS, PANE_MS // 1000) == expected


def test_the_same_question_a_moment_later_is_the_same_range() -> None:
    """So its records need not be read again."""
    assert explained_range({}, None, NOW_MS, 300) == explained_range({}, None, NOW_MS + 9_000, 300)


@pytest.mark.parametrize("given", [{"from": "tomorrow"}, {"from": instants.text(END_MS), "to": instants.text(NOON_MS)}])
def test_a_range_that_makes_no_sense_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadParameterError):
        explained_range(given, None, NOW_MS, 300)
