"""What the monitor remembers of what it sees: each poll goes into the history, and a restart goes on from there."""

import asyncio
import time
from functools import partial
from typing import Final, NamedTuple

from schemas.topics import CALLBACKS
from streams.monitor.history.beginnings import Beginnings
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


class Memory:
    """The history and what is read out of it. One per process.

    verdicts, problems: since when each is what it is.
    """

    def __init__(self, settings: MonitorSettings, losses: Losses) -> None:
        self.history = History(settings.data_dir, settings.history_days)
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
        await asyncio.to_thread(self._restore)

    def _restore(self) -> None:
        now_ms = int(time.time() * 1000)
        for kind, beginnings in ((VERDICT, self.verdicts), (PROBLEM, self.problems)):
            newest = self.history.newest(kind).values()
            beginnings.restore({change.subject: (change.value, change.at_ms) for change in newest}, now_ms)
        if saved := self.history.kept(LOSSES):
            self._losses.restore(saved)

    def add(self, snapshot: LagSnapshot, probes: int = 0) -> None:
        """One poll that succeeded. probes: how many of ours have come to the topic of callbacks until now."""
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
        if (saved := self._losses.saved()) != self._saved:
            self._saved = saved
            self.history.keep(LOSSES, saved)
