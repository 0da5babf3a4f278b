"""What a call adds to a window, from its records."""

from __future__ import annotations

import pytest

from streams.rules.bounds import MAX_SUMMED
from streams.rules.outcomes import clamped

INT64 = 2**63 - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 0), (-1, 0), (-INT64, 0), (0, 0), (43, 43), (MAX_SUMMED + 1, MAX_SUMMED), (INT64, MAX_SUMMED)],
)
def test_absurd_numbers_are_held_in_bounds_before_they_are_summed(value: int | None, expected: int) -> None:
    assert expected == clamped(value)
