"""`python -m streams recount`: open the topics, recount with a progress bar, print what differs."""

import json
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas.reader import TopicReader
from schemas.registry import Registry
from schemas.runtime import exits, instants
from streams import output
from streams.rules.windows import WindowSettings
from streams.settings import WorkerSettings
from streams.tools.kafka import translated
from streams.tools.recount.comparison import WindowComparison, WindowState
from streams.tools.recount.ledger import Ledger, Scope
from streams.tools.recount.run import Recount, RecountReport

COLUMNS: Final = ("window", "start", "state", "field", "recounted", "published", "remark")
STYLES: Final = {
    WindowState.DIFFERENT: "red",
    WindowState.LATE: "cyan",
    WindowState.MOVING: "yellow",
    WindowState.PARTIAL: "dim",
}


class _Bars:
    """One progress bar for each topic that is read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task, self._total = TaskID(0), 0

    def begin(self, what: str, total: int) -> None:
        self._task, self._total = self._progress.add_task(what, total=total), total

    def advance(self) -> None:
        self._progress.advance(self._task)

    def end(self) -> None:
        self._progress.update(self._task, completed=self._total)  # markers and aborted records are offsets as well


async def print_recount(environ: Mapping[str, str], scope: Scope, *, as_json: bool) -> int:
    """Recount, print the differences to stdout, return the exit code.

    Raises: SettingsError, TopicsError, RefusedError, BrokerUnavailableError, RegistryAwayError.
    """
    report = await recount(WorkerSettings.from_env(environ), scope, Console(stderr=True))
    if as_json:
        print_json(report)
    else:
        console = output.console()
        if any(window.cells for window in report.windows):
            console.print(differences_table(report))
        console.print(summary(report), markup=False, highlight=False)
    if not report.windows and (unknown := scope.workflow or scope.sip_line):
        message = f"no window of {unknown}: nothing was compared; is the id right, and the time?"
        output.console(stderr=True).print(message, markup=False, highlight=False)
        return exits.NO
    return report.exit_code


async def recount(settings: WorkerSettings, scope: Scope, console: Console) -> RecountReport:
    """Recount what is in scope, with progress bars on `console`. Raises as `print_recount`."""
    ledger = Ledger(WindowSettings(settings.window_s * 1000, settings.grace_s * 1000), scope)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    registry = Registry(settings.registry)
    try:
        async with translated(settings.kafka), TopicReader(settings.kafka, settings.group) as reader:
            with Progress(*columns, console=console, transient=True) as progress:
                return await Recount(reader, registry, ledger, _Bars(progress)).run()
    finally:
        await registry.aclose()


def print_json(report: RecountReport) -> None:
    """The report as one JSON object on stdout."""
    differences = [
        {
            "dimension": window.key.dimension,
            "value": window.key.value,
            "window_start_at": instants.text(window.key.start),
            "state": window.state.value,
            "remark": window.remark,
            "cells": [cell._asdict() for cell in window.cells],
        }
        for window in report.windows
        if window.cells
    ]
    counts = {state.value: report.count(state) for state in WindowState}
    found = {"windows": counts, "calls": report.calls, "differences": differences}
    Console(soft_wrap=True).print_json(json.dumps(found))


def differences_table(report: RecountReport) -> Table:
    """One row per cell that differs, and one per window that was changing."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for window in report.windows:
        name = f"{window.key.dimension} {window.key.value}"
        for number, cells in enumerate(_rows(window)):
            remark = window.remark if number == 0 else ""
            texts = (name, instants.text(window.key.start), window.state.value, *cells, remark)
            # Text: a value may look like markup
            table.add_row(*(Text(text, overflow="fold") for text in texts), style=STYLES.get(window.state, ""))
    return table


def _rows(window: WindowComparison) -> list[tuple[str, ...]]:
    """Field, recounted and published of each row. The counts of a window that is changing mean nothing."""
    if window.state is WindowState.MOVING and window.cells:
        return [(_counted(len(window.cells), "cell"), "-", "-")]
    return [tuple(map(str, cell)) for cell in window.cells]


def summary(report: RecountReport) -> str:
    """The report in one line."""
    states = ", ".join(f"{count} {state.value}" for state in WindowState if (count := report.count(state)))
    line = f"{_counted(len(report.windows), 'window')} from {_counted(report.calls, 'call')}: "
    line += states or "nothing to compare"
    line += f"; {_counted(report.unreadable, 'record')} unreadable" if report.unreadable else ""
    return line + (f"; {_counted(report.other_sizes, 'window')} of another size left out" if report.other_sizes else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
