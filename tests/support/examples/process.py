"""Runs an example as its reader does, and holds what it printed against the topic."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.topics import Topic
from tests.support.examples.expectation import committed, expected
from tests.support.examples.stack import Stack
from tests.support.waiting import wait_until

READ_S = 60.0
END_S = 20.0
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass
class RunningExample:
    """A process, and the files with its two outputs."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def lines(self) -> list[dict[str, Any]]:
        """The complete lines so far."""
        text, _, _ = self.stdout.read_text().rpartition("\n")
        return [json.loads(line) for line in text.splitlines()]

    def said(self) -> str:
        """Everything that is not a line of a record."""
        return self.stderr.read_text()

    def assert_runs(self) -> None:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said()[-4000:]}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code. Kills it after END_S."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end within {END_S} s of the signal:\n{self.said()[-4000:]}") from None


def start_example(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> RunningExample:
    """Start it with nothing of our environment but the path, the home and `environ`."""
    scratch = Path(tempfile.mkdtemp(prefix="example-"))
    stdout, stderr = scratch / "stdout", scratch / "stderr"
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(command, cwd=cwd, env={**kept, **environ}, stdout=out, stderr=err)
    return RunningExample(process, stdout, stderr)


async def check_example(
    stack: Stack,
    topic: Topic,
    command: Sequence[str],
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    number: int = signal.SIGTERM,
) -> RunningExample:
    """Run it on a topic until it has read what was there, end it by the signal, and compare every line it printed.

    All that it printed, and nothing else, lies below the offsets that it committed: so it prints nothing twice when it
    starts again. environ: in the place of the addresses and the topic. Raises: AssertionError with what it said.
    """
    group = f"example-{uuid.uuid4().hex[:8]}"
    told = {**stack.environ, "TOPIC": topic.name} if environ is None else environ
    example = start_example(command, cwd, {**told, "GROUP": group})
    sentinels = stack.sentinels[topic.name]

    def has_read_all() -> bool:
        example.assert_runs()
        return sentinels <= {line["ce_id"] for line in example.lines()}

    try:
        await wait_until(has_read_all, READ_S, "the last record of every partition")
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{example.said()[-4000:]}") from None
    finally:
        code = example.stop(number)
    assert code == 0, example.said()
    await compare(stack, topic, group, example)
    return example


async def compare(stack: Stack, topic: Topic, group: str, example: RunningExample) -> None:
    """Hold its lines, and what it set aside, against the records below its committed offsets."""
    wanted = await expected(stack.bootstrap, stack.registry_url, topic, await committed(stack.bootstrap, group))
    assert stack.sentinels[topic.name] <= wanted.lines.keys(), "its committed offsets are behind what it printed"
    lines = example.lines()
    names = ["topic", "ce_id", "key", "revision", *_fields(wanted.lines)]
    printed = {line["ce_id"]: {name: line.get(name) for name in names} for line in lines}
    assert len(printed) == len(lines), "a record was printed twice"
    assert printed == wanted.lines
    missing = [place for place in sorted(wanted.set_aside) if place not in example.said()]
    assert not missing, f"records set aside without a word: {missing}\n{example.said()[-4000:]}"


def _fields(lines: dict[str, dict[str, Any]]) -> list[str]:
    first = next(iter(lines.values()))
    return list(first)[4:]
