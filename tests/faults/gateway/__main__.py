"""The long form: `python -m tests.faults.gateway --seed 1 --kills 1000`. Exit code 1 when anything is missing."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from streams.topics.schemas import apply_schemas
from tests.faults.gateway.gateway_kills import kill_gateways
from tests.faults.gateway.spool_kills import kill_spool_writers
from tests.support.processes.service import RegistryProcess


def main(
    seed: Annotated[int, typer.Option(help="The same seed makes the same plan.")] = 1,
    kills: Annotated[int, typer.Option(help="In total; one in twenty, at least 50, of a whole gateway.")] = 1000,
) -> None:
    """Kill gateways and spool writers at random points and look for every acknowledged callback."""
    gateways = min(kills, max(50, kills // 20))
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        print(f"seed {seed}: data and logs in {directory}", flush=True)
        spool = asyncio.run(kill_spool_writers(directory, seed, kills - gateways))
        print(f"{spool} ({time.monotonic() - started:.0f} s)", flush=True)
        with RegistryProcess(directory / "registry") as registry:
            asyncio.run(apply_schemas(registry.url))
            gateway = asyncio.run(kill_gateways(directory / "gateways", registry.url, seed, gateways))
        print(f"{gateway} ({time.monotonic() - started:.0f} s)", flush=True)
    raise typer.Exit(int(any((spool.missing, spool.invented, spool.damaged, gateway.missing, gateway.invented))))


if __name__ == "__main__":
    typer.run(main)
