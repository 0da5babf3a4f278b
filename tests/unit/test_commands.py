"""A word of a closed set that nobody knows is a slip, told with the choices, and never reads as "nothing was lost"."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from gateway.__main__ import app as gateway
from gateway.recovery import commands as quarantine_commands
from gateway.recovery.judging import Survey
from schemas import codec
from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime import exits
from streams.__main__ import app as streams
from streams.tools.dead_letters import printing as letters_printing
from streams.tools.recount import printing as recount_printing
from streams.tools.recount.ledger import Scope
from streams.tools.recount.run import RecountReport

SLIPS = (
    (gateway, ("quarantine", "list", "--reason", "bad-signature"), "bad_signature"),
    (gateway, ("quarantine", "reverify", "--reason", "Malformed"), "malformed"),
    (gateway, ("quarantine", "replay", "--kind", "call_completion"), "call-completion"),
    (gateway, ("quarantine", "list", "--kind", "nonsense"), "call-completion"),
    (gateway, ("quarantine", "list", "--from", "yesterday"), "--from"),
    (gateway, ("quarantine", "replay", "--rate", "inf"), "1000000"),
    (gateway, ("simulate", "--rate", "inf"), "1000000"),
    (streams, ("dead-letters", "replay", "--rate", "inf"), "1000000"),
    (gateway, ("simulate", "--url", "gateway/x"), "https://"),
    (gateway, ("import", "-", "--kind", "nonsense"), "events/NAME"),
    (gateway, ("import", "-", "--rate", "inf"), "1000000"),
    (streams, ("tail", "callz"), "call-attempts"),
    (streams, ("tail", "calls", "-o", "yaml"), "table"),
    (streams, ("tail", "dead-letters", "--sip-line", "x"), "--sip-line"),
    (streams, ("trace-call", "x", "-o", "yaml"), "json"),
    (streams, ("dead-letters", "show", "callbacks"), "callbacks[3]@17"),
    (gateway, ("send", "--url", "http://[::1"), "https://"),
    (gateway, ("send", "--url", "http://127.0.0.1:99999/?a=b"), "https://"),
    (streams, ("dead-letters", "list", "--reason", "bogus"), "unknown_schema"),
    (streams, ("dead-letters", "replay", "--reason", ""), "unknown_schema"),
    (streams, ("dead-letters", "list", "--topic", "airudder.callbacks"), "airudder.callbacks.v1"),
    (streams, ("dead-letters", "replay", "--topic", "bogus", "--dry-run"), "airudder.outcomes-by-workflow.v1"),
)


@pytest.mark.parametrize(("app", "arguments", "choice"), SLIPS, ids=[" ".join(slip[1]) for slip in SLIPS])
def test_a_slip_is_exit_code_2_and_names_the_choices(app: typer.Typer, arguments: tuple[str, ...], choice: str) -> None:
    result = CliRunner().invoke(app, arguments, env={"TERMINAL_WIDTH": "1000", "COLUMNS": "1000"})

    assert result.exit_code == 2, result.output
    assert choice in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [("quarantine", command) for command in ("list", "reverify", "replay")])
def test_the_help_tells_what_an_instant_looks_like(arguments: tuple[str, ...]) -> None:
    told = CliRunner().invoke(gateway, [*arguments, "--help"], env={"COLUMNS": "200"}).output

    assert "ISO" in told
    assert "INT" not in told


@pytest.mark.parametrize("arguments", [("\udcff",), ("aa", "--header", "webhook-id: \udcff")])
def test_bytes_that_are_no_text_make_no_signature_and_no_traceback(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(gateway, ["which-scheme", __file__, *arguments])

    assert result.exit_code == exits.NO, result.exception
    assert "no scheme matches" in result.output


def pages(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every page of help that is shown: the words that lead to it, and its command."""
    if not command.hidden:
        yield names, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from pages(inner, *names, name)


@pytest.mark.parametrize("app", [gateway, streams], ids=["gateway", "streams"])
def test_every_command_and_every_option_has_a_page_that_explains_it(app: typer.Typer) -> None:
    for names, command in pages(get_command(app)):
        shown = CliRunner().invoke(app, [*names, "-h"], env={"COLUMNS": "80"})
        assert (shown.exit_code, "Usage:" in shown.output) == (0, True), names
        assert command.help, names
        assert [param.name for param in command.params if not param.help] == [], names


def test_the_reasons_are_those_of_the_schema() -> None:
    fields = json.loads(codec.schema_text("DeadLetter"))["fields"]
    (doc,) = (field["doc"] for field in fields if field["name"] == "reason")

    assert doc.endswith(f"from a closed set: {', '.join(DEAD_LETTER_REASONS)}.")


@pytest.mark.parametrize(
    ("count", "there", "told"),
    [
        (0, 0, "the quarantine is empty"),
        (0, 12, "no request matches, of 12 in quarantine"),
        (1, 12, "1 request"),
        (2, 12, "2 requests"),
    ],
)
def test_that_no_request_matches_is_distinguished_from_that_none_is_there(count: int, there: int, told: str) -> None:
    assert quarantine_commands._matched(count, there) == told


@pytest.mark.parametrize(
    ("count", "there", "told"),
    [
        (0, 0, "no dead letters in the topic"),
        (0, 12, "no dead letter matches, of 12"),
        (1, 12, "1 dead letter"),
        (2, 12, "2 dead letters"),
    ],
)
def test_that_no_letter_matches_is_distinguished_from_that_none_is_there(count: int, there: int, told: str) -> None:
    assert letters_printing._matched(count, there) == told


NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", "COLUMNS": "1000"}
NO_AUTHORITY = {**NOWHERE, "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "/none"}
TOOLS = (
    ("topics", "check"),
    ("topics", "apply"),
    ("lag",),
    ("recount",),
    ("tail", "calls"),
    ("trace-call", "x"),
    ("dead-letters", "list"),
    ("dead-letters", "show", "callbacks[0]@0"),
    ("replay", "--to-prefix", "next."),
)


@pytest.mark.parametrize("arguments", TOOLS, ids=" ".join)
@pytest.mark.parametrize(
    ("environ", "exit_code", "said"),
    [
        (NOWHERE, exits.UNAVAILABLE, "Kafka at 127.0.0.1:1: nobody listens there"),
        (NO_AUTHORITY, exits.SETTINGS, "KAFKA_SSL_CAFILE: no such readable file"),
    ],
    ids=["Kafka away", "file missing"],
)
def test_every_tool_names_what_it_cannot_reach_with_the_tables_code(
    arguments: tuple[str, ...], environ: dict[str, str], exit_code: int, said: str
) -> None:
    result = CliRunner().invoke(streams, arguments, env=environ)

    assert result.exit_code == exit_code, result.output
    assert said in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", [*(("streams", *tool) for tool in TOOLS), ("gateway", "quarantine", "list")])
def test_a_tool_without_kafka_prints_one_line_and_no_log_line_of_a_library(command: tuple[str, ...]) -> None:
    environ = {**os.environ, **NOWHERE}
    ran = subprocess.run([sys.executable, "-m", *command], env=environ, capture_output=True, text=True, check=False)

    assert ran.returncode == exits.UNAVAILABLE, ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert "Kafka at 127.0.0.1:1: nobody listens there" in ran.stderr


@pytest.mark.parametrize(("count", "told"), [(0, "0 events pass"), (1, "1 event passes"), (2, "2 events pass")])
def test_a_replay_counts_the_events_that_pass(count: int, told: str) -> None:
    found = Survey(recoverable={("topic", str(number)): 0 for number in range(count)})

    search: Any = SimpleNamespace(records=9, unreadable_records=1)
    summary = quarantine_commands._summary(found, search, 0)

    assert f"(none, 1 unreadable record); {told}, 0 of them" in summary


@pytest.mark.parametrize(
    ("scope", "exit_code"), [(Scope(workflow="nonsense"), 1), (Scope(sip_line="x"), 1), (Scope(), 0)]
)
async def test_a_recount_of_a_name_that_matches_no_window_says_so_and_is_no_success(
    scope: Scope, exit_code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def nothing(*_: object) -> RecountReport:
        return RecountReport([], 0, 0, 0)

    monkeypatch.setattr(recount_printing, "recount", nothing)

    assert await recount_printing.print_recount({}, scope, as_json=False) == exit_code
    assert (f"no window of {scope.workflow or scope.sip_line}" in capsys.readouterr().err) == bool(exit_code)


@pytest.mark.parametrize(
    ("app", "command", "codes"),
    [
        (gateway, "serve", (0, exits.PORT_TAKEN, exits.DATA_IN_USE, exits.DISK, exits.SETTINGS)),
        (
            streams,
            "worker",
            (0, exits.PORT_TAKEN, exits.DATA_IN_USE, exits.DISK, exits.UNAVAILABLE, exits.INTERNAL, exits.SETTINGS),
        ),
        (streams, "monitor", (0, exits.PORT_TAKEN, exits.INTERNAL, exits.SETTINGS)),
    ],
)
def test_the_help_of_a_role_names_its_exit_codes(app: typer.Typer, command: str, codes: tuple[int, ...]) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    told = " ".join(shown.partition("Exit codes:")[2].split())

    assert [code for code in codes if not re.search(rf"\b{code} ", told)] == []
