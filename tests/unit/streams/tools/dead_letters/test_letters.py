"""What is shown of a dead letter, which a filter takes, and how its record goes back."""

from __future__ import annotations

import pytest
from msgspec import structs

from schemas.records.kept import DeadLetter, KeptHeader
from schemas.topics import CALLBACKS
from streams import output
from streams.tools.dead_letters.letters import LetterFilter, Origin, headers_again, origin_of, row_of
from streams.tools.dead_letters.printing import letters_table

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


def test_a_row_has_origin_size_reason_and_time_and_nothing_personal() -> None:
    row = row_of(LETTER)

    assert tuple(row) == ("2024-03-11T13:25:12.345Z", ORIGIN, 12, "undecodable", "12 bytes are too few")
    assert "secret" not in str(row)
    assert str(row.origin) == "airudder.callbacks.v1[2]@17"


def test_a_record_without_a_value_has_no_size() -> None:
    assert row_of(structs.replace(LETTER, value=None)).value_bytes is None


def test_a_detail_cannot_steer_the_terminal() -> None:
    row = row_of(structs.replace(LETTER, detail="a\x1b[31mb\nc"))

    assert row.detail == "a [31mb c"
    assert letters_table([row]).row_count == 1


def test_without_a_terminal_a_letter_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    detail = "a detail that is longer than a line of a terminal " * 3
    output.console().print(letters_table([row_of(structs.replace(LETTER, detail=detail))]))

    [_, line] = capsys.readouterr().out.splitlines()
    assert str(ORIGIN) in line
    assert detail.strip() in line


def test_a_cut_letter_has_the_size_and_digest_of_the_whole() -> None:
    cut = structs.replace(LETTER, is_cut=True, value_bytes=20_971_520, value_sha256="ab" * 32)

    assert row_of(cut).value_bytes == 20_971_520
    assert "ab" * 32 in row_of(cut).detail


def test_headers_of_one_name_go_back_as_they_came() -> None:
    twice = [KeptHeader(name="x", value=b"1"), KeptHeader(name="x", value=b"2")]

    assert headers_again(structs.replace(LETTER, all_headers=twice))[:2] == [("x", b"1"), ("x", b"2")]


@pytest.mark.parametrize(
    ("wanted", "is_in"),
    [
        (LetterFilter(), True),
        (LetterFilter(reason="undecodable", topic=CALLBACKS.name, from_ms=AT, until_ms=AT + 1), True),
        (LetterFilter(reason="invalid"), False),
        (LetterFilter(topic="airudder.calls.v1"), False),
        (LetterFilter(from_ms=AT + 1), False),
        (LetterFilter(until_ms=AT), False),
    ],
)
def test_a_filter_takes_what_it_names(wanted: LetterFilter, is_in: bool) -> None:
    assert wanted.matches(LETTER) is is_in


def test_a_replayed_record_has_its_headers_and_one_mark_of_where_it_failed() -> None:
    once = headers_again(LETTER)
    failed_again = structs.replace(LETTER, source_offset=99, headers=dict(once))

    assert once == [("ce_id", b"secret-header"), ("replayed_from", b"airudder.callbacks.v1[2]@17")]
    assert headers_again(failed_again) == [
        ("ce_id", b"secret-header"),
        ("replayed_from", b"airudder.callbacks.v1[2]@99"),
    ]


def test_several_letters_of_one_record_are_one() -> None:
    assert origin_of(LETTER) == origin_of(structs.replace(LETTER, failed_at=AT + 1, reason="invalid"))
