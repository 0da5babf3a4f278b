"""Every command block of every README, as a reader runs it: in a fresh copy, in order, against one real system.

The root README starts the system; the other READMEs are read beside it. Each README has one shell: what a block sets is
there for the next. Only these blocks are not run as they are:
- the installation: `.ci/run` has just done it by the same lines, which is checked; `.venv` links to that environment;
- `pytest`: it would run this test; what it would run is collected instead;
- `rm`: after the end of the system, as for a reader.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from gateway.__main__ import app as gateway
from schemas.runtime.environment import KAFKA, PREFIXES
from streams.__main__ import app as streams
from streams.local.artifacts import default_cache_dir
from streams.local.ports import free_ports
from tests.support.readme import Block, Shell, blocks_of
from tests.support.waiting import wait_until_true

ROOT = Path(__file__).parents[2]
FIRST = "README.md"
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'"
PYTEST = re.compile(r"^((?:\S*/)?pytest\b.*|python3? -m pytest\b.*)$", re.MULTILINE)
PORTS = {
    9092: "--kafka-port",
    8081: "--registry-port",
    8000: "--gateway-port",
    8001: "--gateway-ops-port",
    8080: "--monitor-port",
}
READY_S = 150.0
BLOCK_S = 90.0
STOP_S = 40.0
MARK = "README_BLOCKS"


def files_of_a_clone() -> list[str]:
    """What a clone of this working tree would hold."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(name for name in names if name and (ROOT / name).is_file())


READMES = [FIRST, *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("[a-z]*/**/README.md"))]


def starts_the_system(block: Block) -> bool:
    return "streams up" in block.text


def removes(block: Block) -> bool:
    return all(line.startswith("rm ") for line in block.text.splitlines())


def as_run(block: Block) -> Block:
    """The block without the installation, and with `pytest` as a list of what it would run."""
    text = re.sub(re.escape(INSTALL) + r"(?: && |\n|$)", "", block.text)
    return block._replace(text=PYTEST.sub(r"\1 --collect-only -qq", text))


class Copy:
    """A fresh copy of the tree, the ports of its system, and the system while it runs."""

    def __init__(self, scratch: Path) -> None:
        self.directory = scratch / "clone"
        for name in files_of_a_clone():
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.directory / name)
        (self.directory / ".venv").symlink_to(sys.prefix)
        self._scratch = scratch
        self._ports = {} if are_free(PORTS) else dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._environ = environ_of_a_reader(scratch, self.directory)
        self._output = scratch / "up.out"
        self.up: subprocess.Popen[bytes] | None = None

    def blocks(self, readme: str) -> list[Block]:
        """The blocks of a README, with the ports of this run in place of taken ones."""
        found = blocks_of((self.directory / readme).read_text())
        return [block._replace(text=self.with_ports(as_run(block).text)) for block in found]

    def shell(self, name: str) -> Shell:
        return Shell(self.directory, self._environ, self._scratch / name.replace("/", "-"))

    def start(self) -> None:
        """Run the block that starts the system, until `ready`."""
        [block] = [block for block in self.blocks(FIRST) if starts_the_system(block)]
        options = [f"{option}={self._ports[port]}" for port, option in PORTS.items() if self._ports]
        command = ["bash", "-c", " ".join(["exec", block.text, *options])]
        with self._output.open("wb") as output:
            self.up = subprocess.Popen(
                command, cwd=self.directory, env=self._environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        wait_until_true(self._is_ready, READY_S, "the line `ready`")

    def stop(self) -> int:
        """Ctrl-C; the exit code of `up`. Safe to call again."""
        assert self.up is not None
        if self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
        return self.up.wait(STOP_S)

    def processes(self) -> list[psutil.Process]:
        """What still runs of all that was started here."""
        return [process for process in psutil.process_iter() if _environ_of(process).get(MARK) == str(self.directory)]

    def _is_ready(self) -> bool:
        assert self.up is not None
        said = self._output.read_text()
        assert self.up.poll() is None, f"up ended with {self.up.returncode}:\n{said}"
        return "ready" in said.splitlines()

    def with_ports(self, text: str) -> str:
        return re.sub(r"\b\d{4}\b", lambda match: str(self._ports.get(int(match[0]), match[0])), text)


def are_free(ports: dict[int, str]) -> bool:
    """Whether nobody listens on any of them."""
    with ExitStack() as stack:
        try:
            for port in ports:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
    return True


def environ_of_a_reader(scratch: Path, directory: Path) -> dict[str, str]:
    """Our environment without settings, with a home of its own in which the downloads are a link to ours.

    PYTHONPATH stands for the installation: `pip install -e` in a clone makes the clone's packages the ones in use.
    """
    cache = scratch / "cache"
    cache.mkdir()
    default_cache_dir().mkdir(parents=True, exist_ok=True)
    (cache / default_cache_dir().name).symlink_to(default_cache_dir())
    plain = {name: value for name, value in os.environ.items() if not name.startswith((*PREFIXES, KAFKA, "SCHEMA_"))}
    ours = {"HOME": str(scratch), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(directory), MARK: str(directory)}
    return plain | ours


def _environ_of(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except psutil.Error:
        return {}


def help_texts() -> list[str]:
    """What the commands say of themselves."""
    tops = (gateway, streams)
    apps = [app for top in tops for app in (top, *(group.typer_instance for group in top.registered_groups)) if app]
    documents = [command.callback.__doc__ for app in apps for command in app.registered_commands if command.callback]
    return [inspect.cleandoc(text) for text in (*(app.info.help for app in apps), *documents) if text]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    copy = Copy(tmp_path_factory.mktemp("readme"))
    try:
        copy.start()
        yield copy
    finally:
        copy.stop()
        for process in copy.processes():
            process.kill()


@pytest.mark.parametrize("readme", READMES)
def test_every_block_does_what_its_readme_says(copy: Copy, readme: str) -> None:
    with copy.shell(readme) as shell:
        for block in copy.blocks(readme):
            if not starts_the_system(block) and not removes(block):
                shell.run(block, BLOCK_S)


def test_every_example_of_a_help_page_works(copy: Copy) -> None:
    with copy.shell("help") as shell:
        shell.run(Block("sh", ". .venv/bin/activate\n. .data/env", 0), BLOCK_S)
        for number, text in enumerate(help_texts()):
            for block in blocks_of(text):
                shell.run(block._replace(text=copy.with_ports(block.text), line=1000 + number), BLOCK_S)


def test_ctrl_c_stops_the_system_and_what_the_readmes_remove_can_be_removed(copy: Copy) -> None:
    assert copy.stop() == 0
    assert copy.processes() == []
    with copy.shell("removal") as shell:
        for block in copy.blocks(FIRST):
            if removes(block) and block.text:
                shell.run(block, BLOCK_S)


def test_the_installation_of_the_readme_is_that_of_ci() -> None:
    run = (ROOT / ".ci" / "run").read_text().replace(" --quiet --disable-pip-version-check", "").splitlines()

    assert all(line in run for line in INSTALL.split(" && "))
    assert INSTALL in (ROOT / FIRST).read_text()
