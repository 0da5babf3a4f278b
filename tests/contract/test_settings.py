"""One environment, one answer: gateway, worker, monitor, topics tool and `up` take and refuse the same in equal words.

The first thirteen rows are those in which the roles once differed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import certifi
import pytest
import typer.main
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from typer.testing import CliRunner

import gateway.__main__ as gateway_main
import streams.__main__ as streams_main
from gateway.settings import NEEDED_TO_SERVE, GatewaySettings
from schemas.runtime import exits
from schemas.runtime.environment import FILE
from schemas.runtime.settings import IN_FILES, NAMES
from streams.commands import roles
from streams.monitor.settings import MonitorSettings
from streams.settings import TopicSettings, UpSettings, WorkerSettings
from streams.tools.check_config import SETTINGS

ROLES: Mapping[str, Any] = {
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
    "monitor": MonitorSettings,
    "topics": TopicSettings,
    "up": UpSettings,
}
CA = certifi.where()
SECRET = "hunter2-planted"
SASL = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": SECRET}
REGISTRY = {
    "SCHEMA_REGISTRY_URL": "http://r",
    "SCHEMA_REGISTRY_USERNAME": "u",
    "SCHEMA_REGISTRY_PASSWORD": SECRET,
}
SERVICE = {"GATEWAY_PORT": "tcp://10.96.0.10:8000", "GATEWAY_SERVICE_HOST": "10.96.0.10"}

# environment, and the variable that each role names when it refuses; empty: all take it
TABLE: list[tuple[dict[str, str], str]] = [
    ({"AIRUDDER_TIMEZONE": "Asia/Jakarta"}, "AIRUDDER_TIMEZONE"),
    ({"KAFKA_SECURITY_PROTOCOL": "plaintext"}, ""),
    ({"KAFKA_BOOTSTRAP_SERVERS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS"),
    ({"KAFKA_SASL_USERNAME": "u"}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    ({"KAFKA_SSL_CERTFILE": CA}, "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE"),
    ({"KAFKA_SSL_CAFILE": "/no/such/file"}, "KAFKA_SSL_CAFILE"),
    ({"STREAMS_WINDOWS": "1"}, "STREAMS_WINDOWS"),
    ({"GATEWAY_PRT": "1"}, "GATEWAY_PRT"),
    ({"MONITOR_PRT": "1"}, "MONITOR_PRT"),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "/no/such/file"}, "KAFKA_SSL_CAFILE"),
    ({"SCHEMA_REGISTRY_URL": " http://x "}, ""),
    ({"KAFKA_SSL_PASSWORD": SECRET}, "KAFKA_SSL_PASSWORD"),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": __file__}, "KAFKA_SSL_CAFILE"),
    # slips
    ({"KAFKA_BOOTSTRAP_SERVER": "k:9092"}, "KAFKA_BOOTSTRAP_SERVER"),
    ({"KAFKA_SECURITY_PROTCOL": "SASL_SSL"}, "KAFKA_SECURITY_PROTCOL"),
    ({"KAFKA_SSL_CA_FILE": CA}, "KAFKA_SSL_CA_FILE"),
    ({"SCHEMA_REGISTRY_PASWORD": SECRET}, "SCHEMA_REGISTRY_PASWORD"),
    ({"airudder_account_timezone": "Asia/Jakarta"}, "airudder_account_timezone"),
    ({"GATEWAY_URL": "http://gateway:8000"}, "GATEWAY_URL"),
    ({"AIRUDDER_TOPIC_PREFIX": "staging."}, ""),
    ({"AIRUDDER_TOPIC_PREFIX": "staging/"}, "AIRUDDER_TOPIC_PREFIX"),
    ({"AIRUDDER_TOPIC_PREFIX": "s" * 101}, "AIRUDDER_TOPIC_PREFIX"),
    # what belongs to others, and what an orchestrator makes
    ({"KAFKA_HEAP_OPTS": "-Xmx1g", "KAFKA_NODE_ID": "1", "KAFKA_ADVERTISED_LISTENERS": "x"}, ""),
    (SERVICE, ""),
    ({"MONITOR_PORT": "tcp://10.96.0.11:8080", "STREAMS_OPS_PORT": "tcp://10.96.0.12:8002"}, ""),
    ({"SCHEMA_REGISTRY_PORT": "tcp://10.96.0.13:8081", "SCHEMA_REGISTRY_SERVICE_PORT_HTTP": "8081"}, ""),
    # values
    ({"AIRUDDER_ACCOUNT_TIMEZONE": "Manila"}, "AIRUDDER_ACCOUNT_TIMEZONE"),
    ({"AIRUDDER_ACCOUNT_TIMEZONE": "localtime"}, "AIRUDDER_ACCOUNT_TIMEZONE"),
    ({"AIRUDDER_SIGNATURE_SCHEME": "rot13"}, "AIRUDDER_SIGNATURE_SCHEME"),
    ({"AIRUDDER_SIGNATURE_MODE": "Enforce"}, ""),
    ({"AIRUDDER_SIGNING_KEYS": SECRET}, "AIRUDDER_SIGNING_KEYS"),
    ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT"),
    ({"GATEWAY_HOST": "http://0.0.0.0"}, "GATEWAY_HOST"),
    ({"GATEWAY_OPS_HOST": "[::1]"}, "GATEWAY_OPS_HOST"),
    ({"MONITOR_HISTORY_DAYS": "0"}, "MONITOR_HISTORY_DAYS"),
    ({"MONITOR_GATEWAY_URLS": "http://a:8001, http://b:8001"}, ""),
    ({"MONITOR_WORKER_URLS": f"http://u:{SECRET}@a:8002"}, "MONITOR_WORKER_URLS"),
    ({"STREAMS_WINDOW_S": "5m"}, "STREAMS_WINDOW_S"),
    ({"STREAMS_WINDOW_S": "86401"}, "STREAMS_WINDOW_S"),
    ({"STREAMS_APP_ID": "my app"}, "STREAMS_APP_ID"),
    ({"STREAMS_PARTITIONS": "0"}, "STREAMS_PARTITIONS"),
    ({"KAFKA_COMPRESSION_TYPE": "brotli"}, "KAFKA_COMPRESSION_TYPE"),
    ({"KAFKA_COMPRESSION_TYPE": "LZ4"}, ""),
    ({"KAFKA_BOOTSTRAP_SERVERS": "[::1]:9092, k:9092"}, ""),
    ({"KAFKA_BOOTSTRAP_SERVERS": "::1:9092"}, "KAFKA_BOOTSTRAP_SERVERS"),
    ({"KAFKA_BOOTSTRAP_SERVERS": "SASL_SSL://k:9092"}, "KAFKA_BOOTSTRAP_SERVERS"),
    ({"KAFKA_BOOTSTRAP_SERVERS": os.fsdecode(b"\xff:9092")}, "KAFKA_BOOTSTRAP_SERVERS"),
    ({"SCHEMA_REGISTRY_URL": "registry:8081"}, "SCHEMA_REGISTRY_URL"),
    ({"SCHEMA_REGISTRY_USERNAME": "u"}, "SCHEMA_REGISTRY_USERNAME, SCHEMA_REGISTRY_PASSWORD"),
    ({"SCHEMA_REGISTRY_CAFILE": CA}, "SCHEMA_REGISTRY_CAFILE"),
    ({"SCHEMA_REGISTRY_CAFILE": CA, "SCHEMA_REGISTRY_URL": "https://r"}, ""),
    # what belongs together
    (SASL, ""),
    ({**SASL, "KAFKA_SASL_USERNAME": " "}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    ({**SASL, "KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    ({**SASL, "KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM"),
    ({**SASL, "KAFKA_SASL_PASSWORD_FILE": __file__}, "KAFKA_SASL_PASSWORD_FILE"),
    ({"KAFKA_SSL_CAFILE": CA}, "KAFKA_SSL_CAFILE"),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": CA}, ""),
    ({"GATEWAY_PORT": "", "STREAMS_WINDOW_S": " ", "MONITOR_TYPO": ""}, ""),
]


def answer(role: str, environ: Mapping[str, str]) -> list[str]:
    """What a role says: its faults, or nothing."""
    try:
        ROLES[role].from_env(environ)
    except Exception as error:
        faults: Any = error
        return list(faults.faults)
    return []


@pytest.mark.parametrize(("environ", "named"), TABLE, ids=str)
def test_all_roles_give_an_environment_the_same_answer(environ: dict[str, str], named: str) -> None:
    answers = {role: answer(role, environ) for role in ROLES}

    assert set(map(tuple, answers.values())) == {tuple(answers["gateway"])}
    assert [fault.split(":")[0] for fault in answers["gateway"]] == ([named] if named else [])
    assert SECRET not in str(answers)


def test_all_faults_are_reported_at_once_and_what_hangs_on_one_is_not_guessed() -> None:
    environ = {
        **SASL,
        "KAFKA_SECURITY_PROTOCOL": "TLS",
        "KAFKA_SASL_PASSWORD": "",
        "AIRUDDER_ZONE": "x",
        "GATEWAY_WORKERS": "none",
        "SCHEMA_REGISTRY_URL": f"ftp://u:{SECRET}@r",
    }

    answers = {role: answer(role, environ) for role in ROLES}

    assert [fault.split(":")[0] for fault in answers["worker"]] == [
        "AIRUDDER_ZONE",
        "GATEWAY_WORKERS",
        "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD",
        "KAFKA_SECURITY_PROTOCOL",
        "SCHEMA_REGISTRY_URL",
    ]
    assert len({str(faults) for faults in answers.values()}) == 1
    assert SECRET not in str(answers)


VARIABLES = st.sampled_from([*sorted(NAMES), *(name + FILE for name in sorted(IN_FILES)), "GATEWAY_PRT", "KAFKA_OPTS"])
VALUES = st.one_of(
    st.sampled_from(
        ["", " ", "0", "1", "PLAIN", "SSL", "SASL_SSL", "none", "k:1", "https://r", "tcp://10.0.0.1:1", CA]
    ),
    st.text(alphabet=st.characters(exclude_characters="\0"), max_size=20),
)


@given(environ=st.dictionaries(VARIABLES, VALUES, max_size=6))
@example(environ={"KAFKA_SASL_USERNAME": "\ud800"})
@profile(max_examples=60)
def test_whatever_is_in_an_environment_all_roles_say_the_same(environ: dict[str, str]) -> None:
    answers = {role: answer(role, environ) for role in ROLES}
    of_gateway = answers.pop("gateway")

    assert len({tuple(faults) for faults in answers.values()}) == 1
    assert set(answers["worker"]) <= set(of_gateway)  # which judges besides what its own settings make together


@pytest.mark.parametrize("role", ROLES)
def test_a_role_notes_the_variables_that_it_ignored(role: str) -> None:
    settings = ROLES[role].from_env({**SERVICE, "KAFKA_PORT": "tcp://10.96.0.9:9092"})

    [note] = settings.notes
    assert note.endswith("GATEWAY_PORT, GATEWAY_SERVICE_HOST")


@pytest.mark.parametrize("name", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", *REGISTRY])
@pytest.mark.parametrize("role", ROLES)
def test_a_secret_in_a_file_is_as_one_in_the_environment(role: str, name: str, tmp_path: Path) -> None:
    environ = {**SASL, **REGISTRY}
    file = tmp_path / "secret"
    file.write_text(environ[name] + "\n")
    in_file = {**environ, name: "", name + FILE: str(file)}

    assert ROLES[role].from_env(in_file) == ROLES[role].from_env(environ)


@pytest.mark.parametrize("role", ROLES)
def test_a_setting_cannot_be_changed_and_no_secret_is_shown(role: str) -> None:
    keys = {"AIRUDDER_SIGNING_KEYS": f"k1:{SECRET}"}
    url = {"SCHEMA_REGISTRY_URL": f"https://u:{SECRET}@r"}
    settings = ROLES[role].from_env({**SASL, **keys, **url})

    assert SECRET not in f"{settings!r}{settings}{settings.shown()}"
    with pytest.raises(ValueError, match="frozen"):
        settings.kafka = None


REFUSED = """\
These settings are wrong:
  AIRUDDER_TIMEZONE: unknown setting; did you mean AIRUDDER_ACCOUNT_TIMEZONE?
  KAFKA_BOOTSTRAP_SERVERS: must be host:port[,host:port], an IPv6 address in brackets
"""


def test_all_commands_refuse_settings_with_the_same_code_and_the_same_text(tmp_path: Path) -> None:
    environ = {**clean_environment(), **dict.fromkeys(NEEDED_TO_SERVE, ""), "AIRUDDER_TIMEZONE": SECRET}
    environ |= {"KAFKA_BOOTSTRAP_SERVERS": "k", "SCHEMA_REGISTRY_URL": "http://r"}
    commands = [
        ("gateway", "serve"),
        ("gateway", "check-config"),
        ("streams", "worker"),
        ("streams", "monitor"),
        ("streams", "topics", "check"),
        ("streams", "up", "--data-dir", str(tmp_path)),
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *command], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    outputs = [process.communicate(timeout=60) for process in running]

    assert [process.returncode for process in running] == [exits.SETTINGS] * 6
    assert outputs == [("", REFUSED)] * 6


# -- check-config


def clean_environment() -> dict[str, str]:
    """Ours without a setting in it."""
    names = {*NAMES, *(name + FILE for name in IN_FILES)}
    return {name: value for name, value in os.environ.items() if name not in names}


def check_config(cli: typer.Typer, *options: str, **environ: str) -> Any:
    unset = dict.fromkeys(NAMES, "")
    del unset["AIRUDDER_SIGNING_KEYS"]
    return CliRunner().invoke(cli, ["check-config", *options], env={**unset, **environ})


def told(output: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in output.splitlines() if re.match("[A-Z_]+=", line))


def test_check_config_shows_every_setting_of_every_role() -> None:
    result = check_config(streams_main.app, KAFKA_COMPRESSION_TYPE="none", AIRUDDER_SIGNING_KEYS=f"k1:{SECRET}")

    assert result.exit_code == 0
    assert set(told(result.stdout)) == NAMES
    assert told(result.stdout)["KAFKA_COMPRESSION_TYPE"] == "none"
    assert "# gateway, worker, monitor, topics\nKAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092\n" in result.stdout
    assert SECRET not in result.output


@pytest.mark.parametrize("role", get_args(roles.RoleName))
def test_check_config_shows_what_one_role_would_use(role: str) -> None:
    result = check_config(streams_main.app, "--role", role)

    assert result.exit_code == 0
    assert set(told(result.stdout)) == {name for name, _ in SETTINGS[role].variables()}
    assert set(get_args(roles.RoleName)) == set(SETTINGS)


def test_the_streams_show_the_settings_that_the_gateway_shows() -> None:
    of_streams = check_config(streams_main.app, "--role", "gateway", GATEWAY_PORT="8123")
    of_gateway = check_config(gateway_main.app, GATEWAY_PORT="8123")

    assert told(of_streams.stdout) == told(of_gateway.stdout)


@pytest.mark.parametrize("cli", [gateway_main.app, streams_main.app])
def test_check_config_refuses_with_code_78_and_prints_nothing_else(cli: typer.Typer) -> None:
    result = check_config(cli, GATEWAY_PRT="1", STREAMS_GRACE_S="long")

    assert result.exit_code == exits.SETTINGS
    assert result.stdout == ""
    assert re.search("GATEWAY_PRT: .*\n.*STREAMS_GRACE_S: ", result.stderr)


def test_the_tools_take_the_defaults_and_a_note_says_what_serve_needs() -> None:
    result = check_config(gateway_main.app)

    assert result.exit_code == 0
    assert told(result.stdout)["SCHEMA_REGISTRY_URL"] == "http://127.0.0.1:8081/apis/ccompat/v7"
    assert "`serve` wants KAFKA_BOOTSTRAP_SERVERS and SCHEMA_REGISTRY_URL said" in result.stderr


def test_the_first_command_of_the_help_names_the_default_registry() -> None:
    help_text = typer.main.get_command(gateway_main.app).help or ""

    assert f"SCHEMA_REGISTRY_URL={GatewaySettings().registry.url}\n" in help_text
