"""One dead letter: where its record was read, whether a filter takes it, how it is printed, how it goes back. Pure.

Nothing that is printed holds a value, a key or a header: they have personal data.
"""

from typing import NamedTuple

from schemas.headers import REPLAYED_FROM, Headers, rfc3339
from schemas.records.kept import DeadLetter
from streams.output import without_controls


class Origin(NamedTuple):
    """Where a failed record was read. Written as `topic[partition]@offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class LetterFilter(NamedTuple):
    """Which letters; None: any. `topic`: a real name. Their records failed in [from_ms, until_ms), epoch ms."""

    reason: str | None = None
    topic: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """True when this letter is wanted."""
        return (
            self.reason in (None, letter.reason)
            and self.topic in (None, letter.source_topic)
            and (self.from_ms is None or letter.failed_at >= self.from_ms)
            and (self.until_ms is None or letter.failed_at < self.until_ms)
        )


class LetterRow(NamedTuple):
    """One letter as it may be printed. `value_bytes`: None for a record without a value."""

    failed_at: str
    origin: Origin
    value_bytes: int | None
    reason: str
    detail: str


def origin_of(letter: DeadLetter) -> Origin:
    """Where the failed record was read."""
    return Origin(letter.source_topic, letter.source_partition, letter.source_offset)


def row_of(letter: DeadLetter) -> LetterRow:
    """The letter without anything personal. Control characters are blanked: they could steer the terminal."""
    size = None if letter.value is None else letter.value_bytes if letter.is_cut else len(letter.value)
    cut = f" (cut; SHA-256 of the value: {letter.value_sha256})" if letter.is_cut else ""
    texts = map(without_controls, (letter.reason, letter.detail + cut))
    return LetterRow(rfc3339(letter.failed_at), origin_of(letter), size, *texts)


def headers_again(letter: DeadLetter) -> Headers:
    """The record's headers with the mark of this replay, which replaces the mark of an earlier one."""
    as_they_came = [(header.name, header.value or b"") for header in letter.all_headers]
    kept = [(name, value) for name, value in as_they_came or letter.headers.items() if name != REPLAYED_FROM]
    return [*kept, (REPLAYED_FROM, str(origin_of(letter)).encode())]
