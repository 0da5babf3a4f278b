"""The long form: `python -m tests.faults --seed 1 --faults 100 [--seeds 3]`. Exit code 1 when anything differs."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.faults.chaos import Outcome, run_chaos

SHOWN = 20


def main(
    seed: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option(help="How many seeds, one after the other.")] = 1,
    faults: Annotated[int, typer.Option(help="Faults per seed.")] = 100,
    deliveries: Annotated[int, typer.Option(help="Deliveries written during each fault.")] = 400,
    keep: Annotated[Path | None, typer.Option(help="Keep data and logs here.")] = None,
) -> None:
    """Break a real installation under load, then hold every topic and window against the oracle."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the broker is away on purpose
    outcomes = []
    for number in range(seed, seed + seeds):
        with ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory
            directory = keep / f"seed-{number}" if keep else Path(stack.enter_context(temporary()))
            print(f"seed {number}: data and logs in {directory}", flush=True)
            outcome = asyncio.run(run_chaos(directory, number, faults, deliveries, partial(print, flush=True)))
        for difference in outcome.report.differences[:SHOWN]:
            print(f"  {difference}"[:600], flush=True)
        outcomes.append(outcome)
        Console(width=160).print(summary(outcomes))
    raise typer.Exit(int(any(outcome.report.differences for outcome in outcomes)))


def summary(outcomes: list[Outcome]) -> Table:
    """One line per seed, and the faults by kind below."""
    table = Table(caption=_by_kind(outcomes))
    columns = (
        "seed faults deliveries records repeats revised overtaken dead windows missing invented wrong cells restarts s"
    )
    for column in columns.split():
        table.add_column(column, justify="right")
    for one in outcomes:
        report = one.report
        table.add_row(
            *map(
                str,
                (
                    one.seed,
                    one.faults.total(),
                    one.deliveries,
                    report.records.total(),
                    one.repeats,
                    report.revised,
                    report.overtaken,
                    report.records["airudder.dead-letters.v1"],
                    report.windows,
                    len(report.missing),
                    len(report.invented),
                    len(report.wrong),
                    len(report.wrong_cells),
                    one.restarts,
                    round(one.seconds),
                ),
            )
        )
    return table


def _by_kind(outcomes: list[Outcome]) -> str:
    kinds: Counter[str] = sum((outcome.faults for outcome in outcomes), Counter())
    return ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common())


if __name__ == "__main__":
    typer.run(main)
