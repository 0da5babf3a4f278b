"""What is shown of a dead letter, and which of them a replay sends."""

from __future__ import annotations

import pytest
from msgspec import structs

from schemas.records.kept import DeadLetter, KeptHeader
from schemas.topics import CALLBACKS, OUTCOMES_BY_WORKFLOW
from streams.tools.dead_letters.printing import letters_table
from streams.tools.dead_letters.replay import (
    CLOCKS_DIFFER_MS,
    Failure,
    Fate,
    Filter,
    Marks,
    Origin,
    fate_of,
    headers_again,
    line_of,
    origin_of,
)

AT = 1_710_163_512_345
LETTER = DeadLetter(
    source_topic=CALLBACKS.name,
    source_partition=2,
    source_offset=17,
    key=b"secret-key",
    value=b"secret-value",
    headers={"ce_id": b"secret-header"},
    reason="undecodable",
    detail="12 bytes are too few",
    failed_at=AT,
)
ORIGIN = Origin(CALLBACKS.name, 2, 17)
NOTHING = Marks()


def test_a_line_tells_origin_size_reason_and_time_and_nothing_personal() -> None:
    line = line_of(LETTER)

    assert tuple(line) == ("2024-03-11T13:25:12.345Z", ORIGIN, 12, "undecodable", "12 bytes are too few")
    assert "secret" not in str(line)
    assert str(line.origin) == "airudder.callbacks.v1[2]@17"


def test_a_record_without_a_value_has_no_size() -> None:
    assert line_of(structs.replace(LETTER, value=None)).value_bytes is None


def test_a_detail_cannot_steer_the_terminal() -> None:
    line = line_of(structs.replace(LETTER, detail="a\x1b[31mb\nc"))

    assert line.detail == "a [31mb c"
    assert letters_table([line]).row_count == 1


@pytest.mark.parametrize("again", [False, True])
def test_a_cut_letter_is_never_replayed_and_tells_the_size_and_digest_of_the_whole(again: bool) -> None:
    cut = structs.replace(LETTER, is_cut=True, value_bytes=20_971_520, value_sha256="ab" * 32)
    failure = Failure(ORIGIN, AT, can_be_sent=True, is_cut=True)

    assert fate_of(failure, NOTHING, Filter(), again=again) is Fate.CUT
    assert line_of(cut).value_bytes == 20_971_520
    assert "ab" * 32 in line_of(cut).detail


def test_headers_of_one_name_go_back_as_they_came() -> None:
    twice = [KeptHeader(name="x", value=b"1"), KeptHeader(name="x", value=b"2")]

    assert headers_again(structs.replace(LETTER, all_headers=twice))[:2] == [("x", b"1"), ("x", b"2")]


@pytest.mark.parametrize(
    ("wanted", "is_in"),
    [
        (Filter(), True),
        (Filter(reason="undecodable", topic=CALLBACKS.name, from_ms=AT, until_ms=AT + 1), True),
        (Filter(reason="invalid"), False),
        (Filter(topic="airudder.calls.v1"), False),
        (Filter(from_ms=AT + 1), False),
        (Filter(until_ms=AT), False),
    ],
)
def test_a_filter_takes_what_it_names(wanted: Filter, is_in: bool) -> None:
    assert wanted.matches(LETTER) is is_in


def test_a_replayed_record_has_its_headers_and_one_mark_of_where_it_failed() -> None:
    once = headers_again(LETTER)
    failed_again = structs.replace(LETTER, source_offset=99, headers=dict(once))

    assert once == [("ce_id", b"secret-header"), ("replayed_from", b"airudder.callbacks.v1[2]@17")]
    assert headers_again(failed_again) == [
        ("ce_id", b"secret-header"),
        ("replayed_from", b"airudder.callbacks.v1[2]@99"),
    ]


CHANGE = Origin(OUTCOMES_BY_WORKFLOW.name, 0, 1)


@pytest.mark.parametrize(
    ("origin", "can_be_sent", "marks", "topic", "again", "fate"),
    [
        (ORIGIN, True, NOTHING, None, False, Fate.DUE),
        (ORIGIN, True, Marks(frozenset((str(ORIGIN),))), None, False, Fate.REPLAYED),
        (ORIGIN, True, Marks(frozenset((str(ORIGIN),))), None, True, Fate.DUE),
        (ORIGIN, True, Marks(frozenset((f"{ORIGIN}0",))), None, False, Fate.DUE),
        (ORIGIN, True, Marks(known_since=AT - CLOCKS_DIFFER_MS), None, False, Fate.DUE),
        (ORIGIN, True, Marks(known_since=AT - CLOCKS_DIFFER_MS + 1), None, False, Fate.UNSURE),
        (ORIGIN, True, Marks(known_since=AT), None, True, Fate.DUE),
        (ORIGIN, False, NOTHING, None, True, Fate.IMPOSSIBLE),
        (CHANGE, True, NOTHING, None, False, Fate.INTERNAL),
        (CHANGE, True, NOTHING, None, True, Fate.INTERNAL),
        (CHANGE, True, NOTHING, CHANGE.topic, False, Fate.DUE),
        (CHANGE, True, Marks(frozenset((str(CHANGE),))), CHANGE.topic, False, Fate.REPLAYED),
    ],
)
def test_a_letter_is_sent_once_and_only_when_that_can_be_known(
    origin: Origin, can_be_sent: bool, marks: Marks, topic: str | None, again: bool, fate: Fate
) -> None:
    failure = Failure(origin, AT, can_be_sent)

    assert fate_of(failure, marks, Filter(topic=topic), again=again) is fate


def test_several_letters_of_one_record_are_one() -> None:
    assert origin_of(LETTER) == origin_of(structs.replace(LETTER, failed_at=AT + 1, reason="invalid"))
