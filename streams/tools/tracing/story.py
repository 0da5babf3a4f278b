"""What the records of one call say together: which delivery did what, what holds now, and where it stopped. Pure."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.headers import is_synthetic
from schemas.runtime import instants
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    QUARANTINE,
    REKEYED_DETAILS,
    Topic,
)
from streams.topics.decoding import Decoded, Plain

WAITING: Final = "waiting"
REPEATED: Final = "duplicate"
NO_CHANGE: Final = "no change: equal content, or older by its call_times"
DEAD: Final = "dead letter"
NOT_READ: Final = "cannot be read"

Found = Mapping[Topic, list[Decoded]]


class Progress(NamedTuple):
    """How far the worker is, by (topic, partition): what it has committed, and where the partition ends."""

    committed: Mapping[tuple[str, int], int]
    ends: Mapping[tuple[str, int], int]

    def waits(self, record: Decoded) -> bool:
        """Whether the worker has yet to process a record of its input."""
        return record.stored.offset >= self.committed.get(_partition(record), 0)

    def behind(self, place: tuple[str, int]) -> int:
        """How many offsets the worker has to go there."""
        return max(self.ends.get(place, 0) - self.committed.get(place, 0), 0)


class Delivery(NamedTuple):
    """One delivery of the call, and what came of it: `revision N`, or one of the words above."""

    record: Decoded
    outcome: str


class Story(NamedTuple):
    """One call. windows: the latest states of the windows where its event time puts it, by their topic."""

    call_id: str
    deliveries: list[Delivery]
    rekeyed: list[Decoded]
    revisions: list[Decoded]
    answers: list[Decoded]
    attempts: list[Decoded]
    late: list[Decoded]
    dead_letters: list[Decoded]
    quarantine: list[Decoded]
    windows: dict[Topic, Decoded | None]
    state: str

    @property
    def is_found(self) -> bool:
        """Whether anything of the call is there."""
        return any((self.deliveries, self.rekeyed, self.revisions, self.late, self.dead_letters, self.quarantine))


def tell(call_id: str, found: Found, windows: dict[Topic, Decoded | None], progress: Progress) -> Story:
    """The story of the records that were found, each once, although a topic may have it several times."""
    revisions = sorted(_once(found[CALLS]), key=_revision)
    rekeyed = _in_time(found[REKEYED_DETAILS])
    newest = _revision(revisions[-1]) if revisions else 0
    story = Story(
        call_id=call_id,
        deliveries=_deliveries(found, revisions, rekeyed, progress),
        rekeyed=rekeyed,
        revisions=revisions,
        answers=_of_revision(found[ANSWERS], newest, "position"),
        attempts=_of_revision(found[CALL_ATTEMPTS], newest, "attempt_number"),
        late=_once(found[LATE_CALLS]),
        dead_letters=_once(found[DEAD_LETTERS]),
        quarantine=_in_time(found[QUARANTINE]),
        windows=windows,
        state="",
    )
    return story._replace(state=_state(story, progress))


def _deliveries(found: Found, revisions: list[Decoded], rekeyed: list[Decoded], progress: Progress) -> list[Delivery]:
    by_event = {_value(record).get("event_id"): _revision(record) for record in reversed(revisions)}
    dead = {
        (letter["source_topic"], letter["source_partition"], letter["source_offset"])
        for letter in map(_value, found[DEAD_LETTERS])
    }
    waiting = {_value(record).get("event_id") for record in rekeyed if progress.waits(record)}
    seen: set[Any] = set()
    told = []
    for record in _in_time(found[CALLBACKS]):
        event = _value(record).get("event_id")
        told.append(Delivery(record, _outcome(record, event in seen, by_event, waiting, dead, progress)))
        seen.add(event)
    return told


def _outcome(
    record: Decoded,
    is_repeat: bool,
    by_event: Mapping[Any, int],
    waiting: set[Any],
    dead: set[Any],
    progress: Progress,
) -> str:
    event = _value(record).get("event_id")
    if record.fault:
        return f"{NOT_READ}: {record.code}"
    if (*_partition(record), record.stored.offset) in dead:
        return DEAD
    if is_repeat:
        return REPEATED
    if event in by_event:
        return f"revision {by_event[event]}"
    return WAITING if progress.waits(record) or event in waiting else NO_CHANGE


def _state(story: Story, progress: Progress) -> str:
    """Where the call is now, or where it stopped, in one sentence."""
    waiting = next((one.record for one in story.deliveries if one.outcome == WAITING), None)
    if waiting is not None:
        waits = next((record for record in story.rekeyed if progress.waits(record)), waiting)
        place = _partition(waits)
        at = instants.text(waiting.stored.timestamp)
        behind = f"the worker has {progress.behind(place)} to go in {place[0]}[{place[1]}]"
        return f"accepted at {at} as {waiting.place}, not yet processed: {behind}"
    if story.dead_letters and not story.revisions:
        return f"could not be processed: {_value(story.dead_letters[-1]).get('reason')}; see dead-letters show"
    if story.revisions:
        return _counted(story)
    if story.deliveries or story.rekeyed:
        return "processed, but its record has left airudder.calls.v1, or it equals one from before"
    if story.quarantine:
        return "refused by the gateway; see `python -m gateway quarantine show EVENT_ID`"
    return "nothing of it was found"


def _counted(story: Story) -> str:
    newest = story.revisions[-1]
    revision = f"revision {_revision(newest)} holds"
    if is_synthetic(newest.stored.headers):
        return f"{revision}; it is synthetic, so no window counts it"
    late = {_revision(record) for record in story.late}
    if _revision(newest) in late:
        return f"{revision}; it came too late for its workflow's window"
    missing = [topic.name for topic, window in story.windows.items() if window is None]
    return f"{revision}; {'not yet in ' + ', '.join(missing) if missing else 'its windows are published'}"


def _once(records: list[Decoded]) -> list[Decoded]:
    """The records in order of appending, those of one ce_id once."""
    found: dict[Any, Decoded] = {}
    for record in _in_time(records):
        found.setdefault(dict(record.stored.headers).get("ce_id", record.place), record)
    return list(found.values())


def _in_time(records: list[Decoded]) -> list[Decoded]:
    return sorted(records, key=lambda record: (record.stored.timestamp, record.stored.partition, record.stored.offset))


def _of_revision(records: list[Decoded], revision: int, order: str) -> list[Decoded]:
    mine = [record for record in _once(records) if _value(record).get("revision") == revision]
    return sorted(mine, key=lambda record: int(_value(record).get(order, 0)))


def _revision(record: Decoded) -> int:
    return int(_value(record).get("revision", 0))


def _value(record: Decoded) -> Plain:
    return record.value or {}


def _partition(record: Decoded) -> tuple[str, int]:
    return record.stored.topic, record.stored.partition
