from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from streams.local.env_file import tools_environment, without_own_services, write_env_file
from streams.local.errors import LocalDiskError

OF_ROLES = {
    "PYTHONUNBUFFERED": "1",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "KAFKA_SASL_PASSWORD": "",
    "KAFKA_SSL_CAFILE": "",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
}
ENVIRON = {"HOME": "/root", "KAFKA_SASL_PASSWORD": "hunter2", "STREAMS_WINDOW_S": "60", "MONITOR_GROUPS": " "}


def sourced(path: Path) -> dict[str, str]:
    """The environment of a shell that has sourced the file, and had nothing before."""
    script = f". {shlex.quote(str(path))} && env -0"
    done = subprocess.run(["sh", "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    pairs = (pair.partition("=") for pair in done.stdout.decode().rstrip("\0").split("\0"))
    return {name: value for name, _, value in pairs if name not in ("PATH", "PWD", "SHLVL", "_", "OLDPWD")}


def test_the_tools_get_the_settings_of_the_roles_and_no_credentials_of_another_cluster() -> None:
    assert tools_environment(ENVIRON, OF_ROLES) == {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
        "KAFKA_SASL_PASSWORD": "",
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
        "STREAMS_WINDOW_S": "60",
    }


def test_a_shell_that_sources_the_file_has_the_values_whatever_they_hold(tmp_path: Path) -> None:
    environment = {"AIRUDDER_SIGNING_KEYS": "a:it's $HOME `#1`\nb:\\2", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}
    path = tmp_path / "a b" / "env"
    path.parent.mkdir()

    write_env_file(path, {"STREAMS_WINDOW_S": "60"}, ())
    write_env_file(path, environment, ["KAFKA_BOOTSTRAP_SERVERS"])

    assert sourced(path) == environment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["env"]


def test_a_shell_that_has_sourced_the_file_can_start_up_again(tmp_path: Path) -> None:
    path = tmp_path / "env"
    addresses = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092", "SCHEMA_REGISTRY_URL": "http://elsewhere:8081"}
    write_env_file(path, addresses, ["KAFKA_BOOTSTRAP_SERVERS"])

    assert without_own_services(addresses, path) == {"SCHEMA_REGISTRY_URL": "http://elsewhere:8081"}
    other = {"KAFKA_BOOTSTRAP_SERVERS": "broker:9092"}
    assert without_own_services(other, path) == other
    assert without_own_services(addresses, tmp_path / "none") == addresses


def test_a_directory_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LocalDiskError, match="cannot write to "):
        write_env_file(tmp_path / "missing" / "env", {}, ())
