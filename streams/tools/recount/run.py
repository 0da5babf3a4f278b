"""`python -m streams recount`: read the topics as of one moment, count again, print what differs.

A running worker must not look wrong, so the order of looking matters. First what the worker has committed, then where
the results end, then the calls; last, every record it had not committed by then. A window that such a record touches
may be published before or after it: it is `moving`, not different. Any other window's result was complete when the
results' ends were read, as far as the calls go that were there by then.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas.errors import DecodeError
from schemas.headers import is_synthetic, rfc3339
from schemas.reader import Offsets, TopicReader, distance, only
from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import OutcomeChange, WindowedOutcomes
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLS,
    CO_PARTITIONED,
    LATE_CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    SIP_LINE_OUTCOMES,
    SYNTHETIC_WORKFLOW_ID,
    WORKFLOW_OUTCOMES,
    Topic,
)
from streams.rules.windows import WindowSettings
from streams.settings import WorkerSettings
from streams.tools.kafka import translated
from streams.tools.recount.comparison import Known, State, Verdict, compare
from streams.tools.recount.ledger import Ledger, Scope, WindowKey

R = TypeVar("R", bound=Record)

# Calls first: the others are told of known calls.
CALL_TOPICS: Final[dict[Topic, type[Record]]] = {
    CALLS: Call,
    LATE_CALLS: Call,
    ANSWERS: Answer,
    CALL_ATTEMPTS: CallAttempt,
}
RESULT_TOPICS: Final = (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)
CHANGES: Final = frozenset((OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name))
CLOCKS_DIFFER_MS: Final = 60 * 60 * 1000  # the provider's, the gateway's and the broker's, generously
EXIT_DIFFERENT: Final = 1
STYLES: Final = {State.DIFFERENT: "red", State.LATE: "cyan", State.MOVING: "yellow", State.PARTIAL: "dim"}


class Report(NamedTuple):
    """What a recount found. `calls` were read; `unreadable` records could not be; windows of another size are told."""

    verdicts: list[Verdict]
    calls: int
    unreadable: int
    other_sizes: int

    def count(self, state: State) -> int:
        """How many windows are in this state."""
        return sum(verdict.state is state for verdict in self.verdicts)

    @property
    def exit_code(self) -> int:
        """1 when a window differs for no reason we know or a record cannot be read, else 0."""
        return EXIT_DIFFERENT if self.count(State.DIFFERENT) or self.unreadable else 0


class Recount:
    """One recount over Kafka. Reads only. Build it, `run` it once."""

    def __init__(self, reader: TopicReader, registry: Registry, ledger: Ledger, progress: Progress) -> None:
        self._reader = reader
        self._registry = registry
        self._ledger = ledger
        self._progress = progress
        self._published: dict[WindowKey, WindowedOutcomes] = {}
        self._moving: set[WindowKey] = set()
        self._unreadable = 0
        self._other_sizes: set[WindowKey] = set()

    async def run(self) -> Report:
        """Read and compare. Raises: aiokafka's errors, RegistryError, TopicsError, BrokerUnavailableError."""
        committed = await self._reader.committed(*CO_PARTITIONED)
        result_ends = await self._reader.ends(*RESULT_TOPICS)
        call_ends = await self._reader.ends(*CALL_TOPICS)
        for topic in CALL_TOPICS:
            await self._read_calls(topic, only([topic], call_ends))
        await self._read_results(result_ends)
        await self._read_unsettled(committed, await self._reader.ends(*CO_PARTITIONED))
        known = Known(
            self._published,
            frozenset(self._moving),
            await self._whole_since(*CALL_TOPICS),
            await self._whole_since(*RESULT_TOPICS),
        )
        verdicts = compare(self._ledger, known)
        return Report(verdicts, len(self._ledger), self._unreadable, len(self._other_sizes))

    async def _read_calls(self, topic: Topic, ends: Offsets) -> None:
        async for record in self._decoded(topic.name, await self._starts(ends, topic), ends, CALL_TOPICS[topic]):
            match record:
                case Call() if topic is CALLS and record.workflow_id != SYNTHETIC_WORKFLOW_ID:
                    self._ledger.add_call(record)
                case Call() if topic is LATE_CALLS:
                    self._ledger.add_late(record)
                case Answer():
                    self._ledger.add_answer(record)
                case CallAttempt():
                    self._ledger.add_attempt(record)

    async def _read_results(self, ends: Offsets) -> None:
        window_ms = self._ledger.settings.window_ms
        starts = await self._starts(ends, *RESULT_TOPICS)
        async for result in self._decoded("results", starts, ends, WindowedOutcomes):
            key = WindowKey(result.dimension, result.value, result.window_start_at)
            if result.window_end_at - result.window_start_at != window_ms or key.start % window_ms:
                self._other_sizes.add(key)
                continue
            known = self._published.get(key)
            if known is None or (result.revision, result.is_final) >= (known.revision, known.is_final):
                self._published[key] = result

    async def _read_unsettled(self, committed: Offsets, ends: Offsets) -> None:
        """What the worker had not committed when we began: the windows it touches are moving."""
        for kind, is_change in ((Callback, False), (OutcomeChange, True)):
            theirs = {tp: end for tp, end in ends.items() if (tp.topic in CHANGES) is is_change}
            async for record in self._decoded("not yet worked off", committed, theirs, kind):
                match record:
                    case Callback():
                        for detail in record.details:
                            self._moving |= self._ledger.keys_of_call(detail.call_id or "")
                    case OutcomeChange():
                        for outcome in filter(None, (record.removed, record.added)):
                            self._moving.update(self._ledger.keys_of(outcome))

    async def _starts(self, ends: Offsets, *topics: Topic) -> Offsets:
        """Where to begin: a window's records are all appended after its start, as far as clocks agree."""
        since = self._ledger.scope.from_ms
        if since is None:
            return await self._reader.beginnings(*topics)
        found = await self._reader.appended_since(since - CLOCKS_DIFFER_MS, *topics)
        return {tp: ends[tp] if offset is None else offset for tp, offset in found.items()}

    async def _decoded(self, what: str, starts: Offsets, ends: Offsets, kind: type[R]) -> AsyncIterator[R]:
        task = self._progress.add_task(what, total=distance(starts, ends))
        async for record in self._reader.records(starts, ends):
            self._progress.advance(task)
            if record.value is None or is_synthetic(record.headers):
                continue
            try:
                yield await self._registry.decode(record.value, kind)
            except DecodeError:
                self._unreadable += kind not in (Callback, OutcomeChange)  # those are dead letters, not our business
        self._progress.update(task, completed=distance(starts, ends))

    async def _whole_since(self, *topics: Topic) -> int | None:
        """Since when (epoch ms) nothing has left any of the topics; None when nothing ever has.

        What has left a partition was appended before its first record; before the retention, where none is left.
        """
        retention = {topic.name: int(topic.retention.total_seconds() * 1000) for topic in topics}
        beginnings = await self._reader.beginnings(*topics)
        firsts = await self._reader.first_appended_at(*topics)
        now_ms = time.time_ns() // 1_000_000
        since = [
            first if (first := firsts[tp]) is not None else now_ms - retention[tp.topic]
            for tp, beginning in beginnings.items()
            if beginning > 0
        ]
        return max(since, default=None)


async def recount(settings: WorkerSettings, scope: Scope, console: Console) -> Report:
    """Recount what is in scope, with a progress bar on `console`.

    Raises: BrokerUnavailableError, RegistryAwayError, TopicsError.
    """
    ledger = Ledger(WindowSettings(settings.window_s * 1000, settings.grace_s * 1000), scope)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    registry = Registry(settings.registry)
    try:
        async with translated(settings.kafka), TopicReader(settings.kafka, settings.app_id) as reader:
            with Progress(*columns, console=console, transient=True) as progress:
                return await Recount(reader, registry, ledger, progress).run()
    finally:
        await registry.aclose()


async def print_recount(environ: Mapping[str, str], scope: Scope, *, as_json: bool) -> int:
    """Recount, print the differences to stdout, return the exit code. Raises as `recount`, and SettingsError."""
    report = await recount(WorkerSettings.from_env(environ), scope, Console(stderr=True))
    if as_json:
        print_json(report)
    else:
        console = Console()
        if any(verdict.cells for verdict in report.verdicts):
            console.print(differences_table(report))
        console.print(summary(report), markup=False, highlight=False)
    if not report.verdicts and (unknown := scope.workflow or scope.sip_line):
        told = f"no window of {unknown}: nothing was compared; is the id right, and the time?"
        Console(stderr=True).print(told, markup=False, highlight=False)
        return EXIT_DIFFERENT
    return report.exit_code


def print_json(report: Report) -> None:
    """The report as one JSON object on stdout."""
    windows = [
        {
            "dimension": verdict.key.dimension,
            "value": verdict.key.value,
            "window_start_at": rfc3339(verdict.key.start),
            "state": verdict.state.value,
            "remark": verdict.remark,
            "cells": [cell._asdict() for cell in verdict.cells],
        }
        for verdict in report.verdicts
        if verdict.cells
    ]
    counts = {state.value: report.count(state) for state in State}
    Console(soft_wrap=True).print_json(json.dumps({"windows": counts, "calls": report.calls, "differences": windows}))


def differences_table(report: Report) -> Table:
    """One row per cell that differs."""
    table = Table("window", "start", "state", "field", "recounted", "published", "remark")
    for verdict in report.verdicts:
        style = STYLES.get(verdict.state, "")
        for number, cell in enumerate(verdict.cells):
            remark = verdict.remark if number == 0 else ""
            name = f"{verdict.key.dimension} {verdict.key.value}"
            cells = (name, rfc3339(verdict.key.start), verdict.state.value, *map(str, cell), remark)
            table.add_row(*(Text(text) for text in cells), style=style)  # Text: a value may look like markup
    return table


def summary(report: Report) -> str:
    """The report in one line."""
    states = ", ".join(f"{count} {state.value}" for state in State if (count := report.count(state)))
    line = f"{len(report.verdicts)} windows from {report.calls} calls: {states or 'nothing to compare'}"
    line += f"; {report.unreadable} records unreadable" if report.unreadable else ""
    return line + (f"; {report.other_sizes} windows of another size left out" if report.other_sizes else "")
