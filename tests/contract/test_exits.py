"""What stops a role names itself, the resource and the remedy, with one exit code per situation in every role."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.runtime import exits

ENDS_S = 60
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
OURS = ("KAFKA_", "SCHEMA_REGISTRY_", "AIRUDDER_", "GATEWAY_", "STREAMS_", "MONITOR_")
ROLES = {
    "gateway": ("gateway", "serve"),
    "worker": ("streams", "worker"),
    "monitor": ("streams", "monitor"),
    "up": ("streams", "up", "--gateway-ops-port=0", "--monitor-port=0"),
}


class Refusal(NamedTuple):
    """A role, what is in its way, what it must end with and what it must say; {port}, {held}, {file}: see `places`."""

    role: str
    told: str  # a setting NAME=value, or an argument
    exit_code: int
    said: tuple[str, ...]


REFUSALS = (
    Refusal("gateway", "GATEWAY_PORT={port}", exits.PORT_TAKEN, ("127.0.0.1:{port}", "taken", "GATEWAY_PORT")),
    Refusal("gateway", "GATEWAY_OPS_PORT={port}", exits.PORT_TAKEN, ("127.0.0.1:{port}", "taken", "GATEWAY_OPS_PORT")),
    Refusal("worker", "STREAMS_OPS_PORT={port}", exits.PORT_TAKEN, ("127.0.0.1:{port}", "taken", "STREAMS_OPS_PORT")),
    Refusal("monitor", "MONITOR_PORT={port}", exits.PORT_TAKEN, ("127.0.0.1:{port}", "taken", "MONITOR_PORT")),
    Refusal("up", "--gateway-port={port}", exits.PORT_TAKEN, ("{port} of 127.0.0.1", "taken", "--gateway-port")),
    Refusal("monitor", "MONITOR_HOST=192.0.2.1", exits.PORT_TAKEN, ("192.0.2.1", "no such address", "MONITOR_HOST")),
    Refusal("worker", "STREAMS_OPS_HOST=no.invalid", exits.PORT_TAKEN, ("no.invalid", "unknown", "STREAMS_OPS_HOST")),
    Refusal("gateway", "GATEWAY_SPOOL_DIR={held}", exits.DATA_IN_USE, ("GATEWAY_SPOOL_DIR", "{held}", "each gateway")),
    Refusal("worker", "STREAMS_DATA_DIR={held}", exits.DATA_IN_USE, ("STREAMS_DATA_DIR", "{held}", "each worker")),
    Refusal("up", "--data-dir={held}", exits.DATA_IN_USE, ("{held}", "in use", "--data-dir")),
    Refusal("gateway", "GATEWAY_SPOOL_DIR={file}", exits.DISK, ("GATEWAY_SPOOL_DIR", "{file}", "no directory")),
    Refusal("worker", "STREAMS_DATA_DIR={file}", exits.DISK, ("STREAMS_DATA_DIR", "{file}", "no directory")),
    Refusal("up", "--data-dir={file}", exits.DISK, ("{file}", "no directory", "--data-dir")),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A port that is taken, a directory that is held, a file where a directory should be."""
    held, file = tmp_path_factory.mktemp("held"), tmp_path_factory.mktemp("places") / "file"
    file.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken, (held / "lock").open("w") as lock:
        lock.write(str(os.getpid()))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield {"port": str(taken.getsockname()[1]), "held": str(held), "file": str(file)}


@pytest.fixture(scope="module")
def endings(places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[Refusal, tuple[int, str]]:
    """Exit code and what was said, of all of them side by side."""
    folder = tmp_path_factory.mktemp("data")
    started = {refusal: _start(refusal, places, folder / str(number)) for number, refusal in enumerate(REFUSALS)}
    try:
        said = {refusal: process.communicate(timeout=ENDS_S)[0] for refusal, process in started.items()}
    finally:
        for process in started.values():
            process.kill()
    return {refusal: (process.returncode, said[refusal]) for refusal, process in started.items()}


def _start(refusal: Refusal, places: dict[str, str], data_dir: Path) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    free = dict.fromkeys(("GATEWAY_PORT", "GATEWAY_OPS_PORT", "STREAMS_OPS_PORT", "MONITOR_PORT"), "0")
    environ = {**inherited, **NOWHERE, **free, "STREAMS_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", *ROLES[refusal.role]]
    told = refusal.told.format(**places)
    if refusal.role == "up":
        command += [f"--data-dir={data_dir}", told]
    else:
        name, _, value = told.partition("=")
        environ[name] = value
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.role} {refusal.told}")
def test_it_names_the_fault_and_the_remedy_and_ends_with_the_tables_code(
    refusal: Refusal, endings: dict[Refusal, tuple[int, str]], places: dict[str, str]
) -> None:
    exit_code, said = endings[refusal]

    assert exit_code == refusal.exit_code, said
    assert [word for word in refusal.said if word.format(**places) not in said] == [], said
    assert "Traceback" not in said


def test_every_exit_code_of_ours_is_in_the_table() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}

    assert codes <= exits.TABLE.keys()
