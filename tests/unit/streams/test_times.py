"""The provider's zone-less times: read in the account's zone, doubted when they cannot be right."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.times import FUTURE_TOLERANCE_MS, EventTime, epoch_ms, event_time

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MEXICO = ZoneInfo("America/Mexico_City")
NOON = "2024-03-11 12:00:00"
NOON_MS = 1_710_158_400_000


def utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("why", "text", "zone", "expected"),
    [
        ("UTC", NOON, UTC_ZONE, "2024-03-11 12:00:00"),
        ("no daylight saving", NOON, ZoneInfo("Asia/Manila"), "2024-03-11 04:00:00"),
        ("half an hour off", NOON, ZoneInfo("Asia/Kolkata"), "2024-03-11 06:30:00"),
        ("winter", "2024-03-31 01:59:59", BERLIN, "2024-03-31 00:59:59"),
        ("summer", "2024-03-31 03:00:00", BERLIN, "2024-03-31 01:00:00"),
        ("skipped as clocks go forward: by the offset before", "2024-03-31 02:30:00", BERLIN, "2024-03-31 01:30:00"),
        ("twice as clocks go back: the first", "2024-10-27 02:30:00", BERLIN, "2024-10-27 00:30:00"),
        ("after the clocks went back", "2024-10-27 03:00:00", BERLIN, "2024-10-27 02:00:00"),
        ("a zone that gave daylight saving up", "2023-07-01 12:00:00", MEXICO, "2023-07-01 18:00:00"),
        ("the same zone before it did", "2022-07-01 12:00:00", MEXICO, "2022-07-01 17:00:00"),
        ("an offset of its own is believed", "2024-03-11T12:00:00+01:00", MEXICO, "2024-03-11 11:00:00"),
        ("Z is an offset", "2024-03-11T12:00:00Z", MEXICO, "2024-03-11 12:00:00"),
        ("spaces around", f"  {NOON}\n", UTC_ZONE, "2024-03-11 12:00:00"),
        ("the first instant", "1970-01-01 00:00:00", UTC_ZONE, "1970-01-01 00:00:00"),
    ],
)
def test_a_time_is_read_in_the_accounts_zone(why: str, text: str, zone: ZoneInfo, expected: str) -> None:
    assert utc_ms(expected) == epoch_ms(text, zone), why


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "-",
        "0000-00-00 00:00:00",
        "2024-02-30 00:00:00",
        "2024-03-11 25:00:00",
        "11/03/2024 12:00",
        "1710158400",
        "yesterday",
        "1969-12-31 23:59:59",
        "0001-01-01 00:00:00",
        "9999-12-31T23:59:59-23:59",
        "2024-03-11 12:00:00 CST",
        "\uff12\uff10\uff12\uff14-03-11 12:00:00",
    ],
)
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    assert epoch_ms(text, ZoneInfo("Asia/Shanghai")) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Asia/Kathmandu"]))
def test_no_text_at_all_makes_reading_fail(text: str, zone: str) -> None:
    read = epoch_ms(text, ZoneInfo(zone))

    assert read is None or read >= 0


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Mexico_City", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_written_time_is_read_back(moment: datetime, zone: str) -> None:
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    local = datetime.fromtimestamp(seconds, ZoneInfo(zone))
    is_second_occurrence = local.fold == 1

    read = epoch_ms(local.strftime("%Y-%m-%d %H:%M:%S"), ZoneInfo(zone))

    assert read is not None
    assert is_second_occurrence or read == seconds * 1000


@pytest.mark.parametrize(
    ("why", "text", "received_at", "expected"),
    [
        ("ended before it was received", NOON, NOON_MS + 1000, EventTime(NOON_MS, None)),
        ("years late is still trusted", NOON, NOON_MS + 10**11, EventTime(NOON_MS, None)),
        ("clocks may differ a little", NOON, NOON_MS - FUTURE_TOLERANCE_MS, EventTime(NOON_MS, None)),
        (
            "beyond that it is the future",
            NOON,
            NOON_MS - FUTURE_TOLERANCE_MS - 1,
            EventTime(NOON_MS - FUTURE_TOLERANCE_MS - 1, "future"),
        ),
        ("unreadable", "soon", NOON_MS, EventTime(NOON_MS, "unreadable")),
        ("missing", None, NOON_MS, EventTime(NOON_MS, "unreadable")),
    ],
)
def test_event_time_is_the_end_of_the_call_or_its_receipt(
    why: str, text: str | None, received_at: int, expected: EventTime
) -> None:
    assert expected == event_time(text, received_at, UTC_ZONE), why


def test_only_the_providers_own_time_is_trusted() -> None:
    assert [EventTime(0, fault).is_trusted for fault in (None, "future", "unreadable")] == [True, False, False]
