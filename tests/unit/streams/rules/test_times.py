"""The provider's zone-less times: read in the account's zone, doubted when they cannot be right."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams.rules.times
from streams.rules.times import (
    FIRST_YEAR,
    FUTURE_TOLERANCE_MS,
    LONGEST_CALL_MS,
    EventTime,
    epoch_ms,
    event_time,
    times_of,
)

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MEXICO = ZoneInfo("America/Mexico_City")
NOON = "2024-03-11 12:00:00"
NOON_MS = 1_710_158_400_000
LATER = 4 * 10**12


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
        ("twice as clocks go back: the second", "2024-10-27 02:30:00", BERLIN, "2024-10-27 01:30:00"),
        ("after the clocks went back", "2024-10-27 03:00:00", BERLIN, "2024-10-27 02:00:00"),
        ("a zone that gave daylight saving up", "2023-07-01 12:00:00", MEXICO, "2023-07-01 18:00:00"),
        ("the same zone before it did", "2022-07-01 12:00:00", MEXICO, "2022-07-01 17:00:00"),
        ("an offset of its own is believed", "2024-03-11T12:00:00+01:00", MEXICO, "2024-03-11 11:00:00"),
        ("Z is an offset", "2024-03-11T12:00:00Z", MEXICO, "2024-03-11 12:00:00"),
        ("spaces around", f"  {NOON}\n", UTC_ZONE, "2024-03-11 12:00:00"),
        ("the first instant", "2015-01-01 00:00:00", ZoneInfo("Asia/Manila"), "2014-12-31 16:00:00"),
    ],
)
def test_a_time_is_read_in_the_accounts_zone(why: str, text: str, zone: ZoneInfo, expected: str) -> None:
    assert utc_ms(expected) == epoch_ms(text, zone, LATER), why


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
        "1970-01-01 00:00:00",
        "1970-01-01 08:00:00",
        "1900-01-01 00:00:00",
        "1899-12-30 00:00:00",
        "1980-01-01T00:00:00",
        "2000-01-01 00:00:00",
        "2001-01-01T00:00:00+08:00",
        "2014-12-31 23:59:59",
        "2024-03-11",
        "20240311",
        "2024-W11-1",
    ],
)
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    for zone in ("Asia/Shanghai", "UTC", "America/Los_Angeles", "Pacific/Kiritimati"):
        assert epoch_ms(text, ZoneInfo(zone), LATER) is None


@settings(max_examples=200)
@given(st.text(max_size=30), st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Asia/Kathmandu"]))
def test_no_text_at_all_makes_reading_fail(text: str, zone: str) -> None:
    read = epoch_ms(text, ZoneInfo(zone), LATER)

    assert read is None or read >= utc_ms(f"{FIRST_YEAR - 1}-12-31 00:00:00")


@settings(max_examples=300)
@given(
    st.datetimes(datetime(2015, 1, 2), datetime(2100, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Mexico_City", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 20 * 60_000),
)
def test_a_written_time_is_read_back_by_who_receives_it_soon(moment: datetime, zone: str, after_ms: int) -> None:
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    local = datetime.fromtimestamp(seconds, ZoneInfo(zone))

    read = epoch_ms(local.strftime("%Y-%m-%d %H:%M:%S"), ZoneInfo(zone), seconds * 1000 + after_ms)

    assert read == seconds * 1000


@pytest.mark.parametrize(
    ("why", "known_by", "expected"),
    [
        ("received in the first of the two hours", "2024-10-27 00:31:00", "2024-10-27 00:30:00"),
        ("a moment before the second", "2024-10-27 01:29:59", "2024-10-27 00:30:00"),
        ("at the second", "2024-10-27 01:30:00", "2024-10-27 01:30:00"),
        ("received in the second", "2024-10-27 01:31:00", "2024-10-27 01:30:00"),
        ("received next year", "2025-10-27 01:31:00", "2024-10-27 01:30:00"),
        ("received before either", "2024-10-26 12:00:00", "2024-10-27 00:30:00"),
    ],
)
def test_an_hour_that_occurs_twice_is_the_one_that_had_passed(why: str, known_by: str, expected: str) -> None:
    assert epoch_ms("2024-10-27 02:30:00", BERLIN, utc_ms(known_by)) == utc_ms(expected), why


def test_both_of_two_equal_texts_are_read_by_their_own_receipt() -> None:
    """The remembered reading of a text must not be that of another receipt."""
    read = [
        epoch_ms("2024-10-27 02:15:00", BERLIN, utc_ms(at)) for at in ("2024-10-27 00:16:00", "2024-10-27 02:00:00")
    ]

    assert read == [utc_ms("2024-10-27 00:15:00"), utc_ms("2024-10-27 01:15:00")]


@pytest.mark.parametrize(
    ("why", "text", "received_at", "expected"),
    [
        ("ended before it was received", NOON, NOON_MS + 1000, EventTime(NOON_MS)),
        ("years late is still trusted", NOON, NOON_MS + 10**11, EventTime(NOON_MS)),
        ("clocks may differ a little", NOON, NOON_MS - FUTURE_TOLERANCE_MS, EventTime(NOON_MS)),
        (
            "beyond that it is the future",
            NOON,
            NOON_MS - FUTURE_TOLERANCE_MS - 1,
            EventTime(NOON_MS - FUTURE_TOLERANCE_MS - 1, "future"),
        ),
        ("unreadable", "soon", NOON_MS, EventTime(NOON_MS, "unreadable")),
        ("missing", None, NOON_MS, EventTime(NOON_MS, "unreadable")),
        ("a stand-in", "1970-01-01 07:00:00", NOON_MS, EventTime(NOON_MS, "unreadable")),
        ("a day is no time", "2024-03-11", NOON_MS, EventTime(NOON_MS, "unreadable")),
    ],
)
def test_event_time_is_the_end_of_the_call_or_its_receipt(
    why: str, text: str | None, received_at: int, expected: EventTime
) -> None:
    assert expected == event_time(text, received_at, UTC_ZONE), why


@pytest.mark.parametrize(
    ("why", "start", "end", "started_at", "source"),
    [
        ("an ordinary call", "2024-03-11 11:59:00", NOON, NOON_MS - 60_000, "provider"),
        ("of no length", NOON, NOON, NOON_MS, "provider"),
        ("started after its end", "2024-03-11 12:00:01", NOON, None, "provider"),
        ("started by a stand-in", "1970-01-01 00:00:00", NOON, None, "provider"),
        ("started two hours ahead", "2024-03-11 14:00:00", "2024-03-11 14:01:00", None, "future"),
        ("started, and ended nobody knows when", NOON, "-", NOON_MS, "unreadable"),
        ("ended years before it started", NOON, "2019-01-01 00:00:00", NOON_MS, "implausible"),
        ("ended days before it started", NOON, "2024-03-09 12:00:00", None, "provider"),
        ("a start years ahead voids no end", "2030-01-01 00:00:00", NOON, None, "provider"),
    ],
)
def test_a_call_never_starts_after_its_end(why: str, start: str, end: str, started_at: int | None, source: str) -> None:
    started, ended = times_of(start, end, NOON_MS + 1000, UTC_ZONE)

    assert (started, ended.source) == (started_at, source), why
    assert ended.is_trusted == (source == "provider")
    assert ended.is_trusted or ended.at_ms == NOON_MS + 1000


def test_a_call_over_the_change_of_the_clocks_keeps_its_length() -> None:
    """02:50 summer time to 02:10 winter time: both occur twice."""
    started, ended = times_of("2024-10-27 02:50:00", "2024-10-27 02:10:00", utc_ms("2024-10-27 01:11:00"), BERLIN)

    assert started is not None
    assert ended.at_ms - started == 20 * 60_000


@settings(max_examples=300)
@given(
    st.sampled_from([NOON, "-", "", None, "1970-01-01 00:00:00", "2019-05-05 05:05:05", "2031-01-01 00:00:00"]),
    st.sampled_from([NOON, "-", "", None, "1900-01-01 00:00:00", "2018-05-05 05:05:05", "2031-01-01 00:00:01"]),
    st.integers(NOON_MS - LONGEST_CALL_MS, NOON_MS + LONGEST_CALL_MS),
)
def test_whatever_is_sent_a_start_is_not_after_the_end_nor_the_end_after_the_receipt(
    start: str | None, end: str | None, received_at: int
) -> None:
    started, ended = times_of(start, end, received_at, BERLIN)

    assert started is None or started <= ended.at_ms
    assert ended.at_ms <= received_at + FUTURE_TOLERANCE_MS


def test_text_of_any_length_is_read_but_not_remembered() -> None:
    remembered = streams.rules.times._readings.cache_info().currsize

    for number in range(20):
        assert epoch_ms(f"{number}" + "9" * 100_000, UTC_ZONE, LATER) is None

    assert streams.rules.times._readings.cache_info().currsize == remembered, (
        "8192 times a megabyte are more than there is"
    )
