"""Text that the provider escaped twice is readable, and any other text stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.rules import escapes
from streams.rules.escapes import readable


@pytest.mark.parametrize(("length", "is_remembered"), [(10, True), (10_000, False)])
def test_only_short_text_is_remembered(length: int, is_remembered: bool) -> None:
    text = r"\u610f" * length
    escapes._unescaped.cache_clear()

    assert readable(text) == "意" * length
    assert (escapes._unescaped.cache_info().currsize == 1) == is_remembered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", ""),
        ("plain", "plain"),
        (r"\u610f\u613f", "意愿"),
        (r"a\u610fb\u613fc", "a意b愿c"),
        (r"\ud83d\ude00 smile", "😀 smile"),
        (r"half \ud83d alone", r"half \ud83d alone"),
        (r"other half \ude00", r"other half \ude00"),
        (r"wrong way round \ude00\ud83d", r"wrong way round \ude00\ud83d"),
        (r"\u12", r"\u12"),
        (r"\uZZZZ", r"\uZZZZ"),
        ("意愿", "意愿"),
        (r"C:\users", r"C:\users"),
        (r"\\u0041", r"\\u0041"),
        (r"\\\u0041", r"\\A"),
        (r"\\\\u0041", r"\\\\u0041"),
        (r"\u0041\\u0042\u0043", r"A\\u0042C"),
        (r"C:\\users\\u0041dmin", r"C:\\users\\u0041dmin"),
        (r"\u0000 nul", r"\u0000 nul"),
        (r"\u0000\u0041", r"\u0000A"),
        (r"\u0041\u0000\u0042", r"A\u0000B"),
        (r"\u005cu0041", r"\u0041"),
        (r"\\ud83d\ude00", r"\\ud83d\ude00"),
        (r"\U0041", r"\U0041"),
    ],
)
def test_doubly_escaped_text_becomes_readable_and_what_is_no_escape_stays(
    text: str | None, expected: str | None
) -> None:
    assert expected == readable(text)


@settings(max_examples=200)
@given(st.text(st.sampled_from("\\ud83e0Aa意")))
def test_readable_text_can_always_be_written_as_utf_8(text: str) -> None:
    made = readable(text)

    assert made is not None
    made.encode()


@settings(max_examples=100)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: "\\" not in text))
def test_any_text_escaped_as_the_provider_does_is_read_back(text: str) -> None:
    escaped = "".join(f"\\u{unit}" for unit in text.encode("utf-16-be").hex(" ", 2).split())

    assert text == readable(escaped)
