"""Numbers as people read them: with their unit, and never rounded into something else."""

from __future__ import annotations

from math import inf
from zoneinfo import ZoneInfo

import pytest

from streams.monitor.pages.words import ago_text, clock_text, number_text, share_text, span_text
from tests.support.panes import NOON_MS


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "n/a"),
        (inf, "never"),
        (0, "0 s"),
        (0.85, "850 ms"),
        (9.96, "10.0 s"),
        (12.4, "12 s"),
        (89, "89 s"),
        (898.2, "15 min"),
        (9000, "2.5 h"),
        (3 * 86_400, "3.0 d"),
    ],
)
def test_a_span_has_its_unit(seconds: float | None, text: str) -> None:
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (0.0, "0 %"), (0.004, "0.4 %"), (0.52, "52 %"), (0.996, "99.6 %"), (1.0, "100 %")],
)
def test_a_share_is_not_rounded_to_nothing_or_everything(value: float | None, text: str) -> None:
    assert share_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "n/a"), (0, "0"), (1234.0, "1,234"), (12.34, "12.3"), (0.123, "0.12"), (-3, "-3")]
)
def test_a_number_has_three_figures(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_an_instant_is_told_by_its_age_and_in_the_readers_zone() -> None:
    assert ago_text(NOON_MS - 12_000, NOON_MS) == "12 s ago"
    assert ago_text(NOON_MS - 9_900, NOON_MS) == "9 s ago"
    assert ago_text(NOON_MS, NOON_MS) == "now"
    assert ago_text(None, NOON_MS) == "never"
    assert clock_text(NOON_MS, ZoneInfo("Asia/Jakarta")) == "11 Mar 20:25:00"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(("at_ms", "text"), [(-62_135_596_800_000, " Jan "), (253_402_300_800_000, " Dec ")])
def test_an_instant_at_the_end_of_all_years_is_told_in_every_zone(at_ms: int, text: str, zone: str) -> None:
    assert text in clock_text(at_ms, ZoneInfo(zone))
