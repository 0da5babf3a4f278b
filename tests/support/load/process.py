"""The load generator in a process of its own, so that it measures a server and not its own test."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import msgspec

from tests.support.load.spec import Result, Spec


async def send(spec: Spec) -> Result:
    """One run, until every answer is there or overdue. Raises: AssertionError when the generator fails."""
    command = [sys.executable, "-m", "tests.support.load.generator", msgspec.json.encode(spec).decode()]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, f"the load generator ended with {process.returncode}"
    return msgspec.json.decode(output, type=Result)
