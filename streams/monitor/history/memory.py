"""What the monitor remembers of what it sees: each poll goes into the history, and a restart goes on from there."""

import json
import time
from functools import partial
from typing import Any, Final, NamedTuple

from schemas.topics import CALLBACKS
from streams.monitor.history.beginnings import Beginnings, Begun
from streams.monitor.history.database import Database
from streams.monitor.history.history import History
from streams.monitor.history.recorder import samples
from streams.monitor.lag.losses import Losses
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.settings import MonitorSettings

VERDICT: Final = "verdict"
PROBLEM: Final = "problem"
LOSSES: Final = "losses"
# Between the parts of a subject; no name of a group or topic holds it.
BETWEEN: Final = "\n"


class VerdictKey(NamedTuple):
    """Whose verdict."""

    group: str
    topic: str
    partition: int

    @property
    def subject(self) -> str:
        """As the list of changes has it."""
        return BETWEEN.join(map(str, self))


ProblemKey = tuple[str, str]
"""The state that a problem makes, and what it is."""


class Left(NamedTuple):
    """What the process before left: the newest value of each subject by kind, and its losses, if it kept any."""

    begun: dict[str, dict[str, Begun]]
    losses: list[dict[str, Any]]


class Memory:
    """The history and what is read out of it. One per process.

    verdicts, problems: since when each is what it is.
    """

    def __init__(self, settings: MonitorSettings, losses: Losses) -> None:
        self.history = History(settings.data_dir, settings.history_days, first=self._read_left)
        self._left: Left | None = None
        self._is_restored = False
        self.verdicts = Beginnings[VerdictKey](self._note(VERDICT), lambda key: key.subject)
        self.problems = Beginnings[ProblemKey](self._note(PROBLEM), BETWEEN.join)
        self._losses = losses
        self._saved = losses.saved()
        self._worker = settings.group
        self._callbacks = settings.kafka.names.of(CALLBACKS)
        self._polled: LagSnapshot | None = None
        self._probes = 0

    def _note(self, kind: str) -> "partial[None]":
        return partial(self.history.note, kind)

    async def open(self) -> None:
        """Open the history, and go on where the process before ended. Never raises for what the disk does."""
        await self.history.open()
        self._restore()

    def _read_left(self, database: Database) -> None:
        """In the thread that writes; `_restore` takes it from there."""
        begun = {
            kind: {change.subject: (change.value, change.at_ms) for change in database.newest(kind)}
            for kind in (VERDICT, PROBLEM)
        }
        self._left = Left(begun, [json.loads(text) for text in database.kept(LOSSES)])

    def _restore(self) -> None:
        """Go on from what the process before left, as soon as that could be read; until then nothing replaces it."""
        if self._is_restored or self._left is None:
            return
        now_ms = int(time.time() * 1000)
        for kind, beginnings in ((VERDICT, self.verdicts), (PROBLEM, self.problems)):
            beginnings.restore(self._left.begun[kind], now_ms)
        for saved in self._left.losses:
            self._losses.restore(saved)
        self._is_restored = True

    def add(self, snapshot: LagSnapshot, probes: int = 0) -> None:
        """One poll that succeeded. probes: how many of ours have come to the topic of callbacks until now."""
        self._restore()
        at_ms = snapshot.as_of_ms
        since = probes - self._probes
        for name, value in samples(snapshot, self._polled, self._worker, self._callbacks, since):
            self.history.record(name, at_ms, value)
        self._polled, self._probes = snapshot, probes
        verdicts = {
            VerdictKey(group.consumergroup, row.topic, row.partition): (row.verdict, at_ms)
            for group in snapshot.groups
            for row in group.partitions
        }
        self.verdicts.update(verdicts, at_ms, is_whole=not snapshot.unseen)
        if self._is_restored and (saved := self._losses.saved()) != self._saved:
            self._saved = saved
            self.history.keep(LOSSES, saved)
