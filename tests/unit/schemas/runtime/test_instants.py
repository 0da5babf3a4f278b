"""Instants have one form as text, and one error."""

import pytest
import typer

from schemas.runtime import instants
from schemas.runtime.options import epoch_ms

AT_MS = 1_710_163_500_999


@pytest.mark.parametrize(
    "value", ["2024-03-11T13:25:00Z", "2024-03-11T13:25:00", " 2024-03-11T14:25:00+01:00", "2024-03-11 13:25"]
)
def test_an_instant_without_an_offset_is_utc(value: str) -> None:
    assert instants.parse(value) == AT_MS - 999


def test_an_instant_is_written_in_utc_with_whole_seconds() -> None:
    assert instants.text(AT_MS) == "2024-03-11T13:25:00Z"


@pytest.mark.parametrize(("at_ms", "year"), [(-(10**18), "0001"), (10**18, "9999")])
def test_what_no_calendar_has_is_written_as_its_first_or_last_second(at_ms: int, year: str) -> None:
    assert instants.text(at_ms).startswith(year)


@pytest.mark.parametrize("value", ["", "yesterday", "2024-13-01", "1710163500"])
def test_an_option_that_is_no_instant_names_the_form(value: str) -> None:
    with pytest.raises(typer.BadParameter, match="ISO 8601 instant such as 2024-03-11T13:25:00Z"):
        epoch_ms(value)
