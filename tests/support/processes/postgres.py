"""A PostgreSQL of a test's own, from the binaries of the machine: Debian's package `postgresql`."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streams.local.ports import LOOPBACK, free_ports
from tests.support.toolchains import lack
from tests.support.waiting import PATIENCE_S, wait_until_true

USERS = ("postgres", "nobody")  # the server refuses to run as root
ANYWHERE = Path("/usr/lib/postgresql")  # Debian's, which are not on the path
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # it is thrown away: only processes are killed


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database `calls`. Skips the test where there is none."""
    directory = Path(tempfile.mkdtemp(prefix="postgres-"))
    owner = _owner(directory)
    data = str(directory / "data")
    port = free_ports(1)[0]
    options = [word for setting in (*QUICK, f"unix_socket_directories={directory}") for word in ("-c", setting)]
    log = directory / "log"
    try:
        _run("initdb", "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync", **owner)
        command = [_program("postgres"), "-D", data, "-h", LOOPBACK, "-p", str(port), *options]
        with log.open("wb") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, cwd=directory, **owner)
        try:
            wait_until_true(lambda: _is_up(port), PATIENCE_S, f"PostgreSQL: {log.read_text()}")
            _run("createdb", "-h", LOOPBACK, "-p", str(port), "-U", "owner", "calls")
            yield f"postgresql://owner@{LOOPBACK}:{port}/calls"
        finally:
            server.send_signal(signal.SIGINT)  # fast: without waiting for its clients
            server.wait(PATIENCE_S)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _owner(directory: Path) -> dict[str, Any]:
    """How to start a process as the user who owns the data: another than root."""
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = next(known[name] for name in USERS if name in known)
    os.chown(directory, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _is_up(port: int) -> bool:
    command = [_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


def _run(program: str, *arguments: str, **owner: Any) -> None:
    done = subprocess.run(
        [_program(program), *arguments], capture_output=True, text=True, check=False, cwd="/", **owner
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def _program(name: str) -> str:
    """Its path: of the newest version that has a server."""
    versions = sorted((path for path in ANYWHERE.glob("*/bin") if (path / "postgres").exists()), key=_version)
    found = shutil.which(name, path=str(versions[-1])) if versions else shutil.which(name)
    if not found:
        lack(f"needs {name}, of PostgreSQL's server: apt-get install postgresql")
    return found


def _version(path: Path) -> int:
    return int(path.parent.name)


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, each column by its name in the query's order."""
    told = f"SELECT coalesce(json_agg(row_to_json(rows)), '[]') FROM ({query}) AS rows"
    command = [_program("psql"), url, "-qAtc", told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [tuple(row.values()) for row in json.loads(done.stdout)]


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Nobody else can write to the table meanwhile: who wants to, waits."""
    psql = subprocess.Popen([_program("psql"), url, "-qAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert psql.stdin
    assert psql.stdout
    try:
        psql.stdin.write(f"BEGIN;\nLOCK TABLE {table} IN EXCLUSIVE MODE;\nSELECT 'held';\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "held\n"
        yield
    finally:
        psql.communicate()


def has_waiting(url: str) -> bool:
    """Whether somebody waits for a lock."""
    return select(url, "SELECT count(*) AS n FROM pg_locks WHERE NOT granted") != [(0,)]


def execute(url: str, statements: str) -> None:
    """Run them."""
    _run("psql", url, "-qc", statements)
