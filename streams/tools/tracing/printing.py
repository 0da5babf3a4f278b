"""The story of one call as text for people, without personal data, or as one JSON object for programs."""

import json
from collections.abc import Iterator

from schemas.runtime import instants
from schemas.topics import Topic
from streams.output import without_controls
from streams.tools.selecting import CALL, names
from streams.tools.tracing.search import CallSearch, Searched
from streams.tools.tracing.story import Story
from streams.topics.decoding import Decoded, Plain
from streams.topics.masking import masked

Line = tuple[str, ...]


def as_json(story: Story, search: CallSearch, *, mask: bool) -> str:
    """The story as one JSON object; each record as `tail` prints it."""

    def shown(record: Decoded) -> Plain:
        return _shown(record, story.call_id, mask=mask)

    lists = ("rekeyed", "revisions", "answers", "attempts", "late", "dead_letters", "quarantine")
    found: Plain = {
        "call_id": story.call_id,
        "is_found": story.is_found,
        "state": story.state,
        "deliveries": [{**shown(one.record), "outcome": one.outcome} for one in story.deliveries],
        **{name: [shown(record) for record in getattr(story, name)] for name in lists},
        "windows": {topic.name: shown(one) if one else None for topic, one in story.windows.items()},
        "searched": {topic.name: searched._asdict() for topic, searched in search.searched.items()},
        "dial_of": sorted(search.dial_of),
    }
    return json.dumps(found, ensure_ascii=True)


def as_lines(story: Story, search: CallSearch) -> str:
    """The story as lines of text: a heading for each topic that has something of it."""
    lines = [f"call {story.call_id}: {story.state}"]
    lines += [f"{story.call_id} is an earlier dial of call {call}: trace that one" for call in sorted(search.dial_of)]
    for heading, rows in _sections(story):
        if rows:
            lines += ["", heading, *(f"  {'  '.join(cell for cell in row if cell)}" for row in rows)]
    lines += ["", "searched", *(f"  {_searched(topic, one)}" for topic, one in search.searched.items())]
    return "\n".join(without_controls(line) for line in lines)


def _sections(story: Story) -> Iterator[tuple[str, list[Line]]]:
    yield (
        "deliveries",
        [
            (_at(one.record, "received_at"), _place(one.record), f"event {_short(one.record)}", one.outcome)
            for one in story.deliveries
        ],
    )
    yield "in rekeyed-details, as a later detail", [(_at(one), _place(one)) for one in story.rekeyed]
    yield (
        "revisions",
        [
            (
                f"{_of(one, 'revision')}",
                _place(one),
                f"ended {_at(one, 'ended_at')}",
                *_told(one, "disposition", "result"),
            )
            for one in story.revisions
        ],
    )
    yield "answers", [(_of(one, "position"), *_told(one, "question_name", "state")) for one in story.answers]
    yield (
        "attempts",
        [(_of(one, "attempt_number"), *_told(one, "call_id", "disposition", "ring_type")) for one in story.attempts],
    )
    yield "windows", [_window(topic, one) for topic, one in story.windows.items()]
    yield "late for its workflow", [(_at(one), _place(one), f"revision {_of(one, 'revision')}") for one in story.late]
    yield "dead letters", [(_at(one), _origin(one), *_told(one, "reason", "detail")) for one in story.dead_letters]
    yield (
        "quarantine",
        [
            (_at(one, "received_at"), f"event {_short(one)}", *_told(one, "reason", "detail"))
            for one in story.quarantine
        ],
    )


def _shown(record: Decoded, call_id: str, *, mask: bool) -> Plain:
    """The record as JSON; of a callback only the details of this call."""
    value = record.value
    if value is not None and isinstance(value.get("details"), list):
        value = {**value, "details": [one for one in value["details"] if call_id in names(one, CALL)]}
    if value is not None and mask:
        value = masked(value, record.record)
    return record._replace(value=value).as_json()


def _told(record: Decoded, *fields: str) -> Line:
    return tuple(str(value) for field in fields if (value := (record.value or {}).get(field)) not in (None, ""))


def _of(record: Decoded, field: str) -> str:
    return str((record.value or {}).get(field, "?"))


def _at(record: Decoded, field: str = "") -> str:
    """An instant of the record, or of its append, in whole seconds."""
    at = instants.text(record.stored.timestamp)
    return str((record.value or {}).get(field) or at)[: len("2024-03-11T13:25:12")] + "Z" if field else at


def _place(record: Decoded) -> str:
    return f"{record.topic.short_name}[{record.stored.partition}]@{record.stored.offset}"


def _short(record: Decoded) -> str:
    """The beginning of the delivery's id, enough to find it by."""
    return _of(record, "event_id")[:12]


def _origin(record: Decoded) -> str:
    return f"{_of(record, 'source_topic')}[{_of(record, 'source_partition')}]@{_of(record, 'source_offset')}"


def _window(topic: Topic, window: Decoded | None) -> Line:
    if window is None:
        return (topic.short_name, "not published")
    final = "final" if (window.value or {}).get("is_final") else "open"
    counts = (f"revision {_of(window, 'revision')}", f"{_of(window, 'calls')} calls")
    return (_of(window, "value"), _at(window, "window_start_at"), *counts, final)


def _searched(topic: Topic, searched: Searched) -> str:
    records = f"{searched.records} record{'s' * (searched.records != 1)}"
    return f"{topic.short_name}: {records} in {searched.partitions} of {searched.of} partitions"
