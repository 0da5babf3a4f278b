"""The command line: what it prints and how it exits."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import app
from schemas.runtime import exits
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.requests import KEY, signed

KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "SCHEMA_REGISTRY_URL": "http://r:8081"}
KEYS = {"AIRUDDER_SIGNING_KEYS": f"other:x,{KEY.id}:{KEY.secret.decode()}"}


def run(*arguments: str, **environ: str) -> Result:
    unset = dict.fromkeys([*KAFKA, *KEYS, "GATEWAY_PORT", "GATEWAY_OPS_PORT"])
    return CliRunner().invoke(app, arguments, env={**unset, **environ})


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_bad_settings_are_all_named_on_stderr_with_exit_code_78(command: str) -> None:
    result = run(command, GATEWAY_PORT="x", GATEWAY_TYPO="1", AIRUDDER_SIGNING_KEYS="s3cret")

    assert result.exit_code == exits.SETTINGS == 78
    for name in ("GATEWAY_PORT", "GATEWAY_TYPO", "AIRUDDER_SIGNING_KEYS", *(KAFKA if command == "serve" else ())):
        assert f"{name}:" in result.stderr
    assert "s3cret" not in result.output
    assert not result.stdout


def test_check_config_prints_what_is_in_effect_without_secrets() -> None:
    result = run("check-config", **KAFKA, **KEYS, GATEWAY_PORT="8123")

    assert result.exit_code == 0
    assert "GATEWAY_PORT=8123" in result.stdout
    assert "GATEWAY_HOST=127.0.0.1" in result.stdout
    assert f"{KEY.id} (secret set)" in result.stdout
    assert KEY.secret.decode() not in result.stdout


@pytest.mark.parametrize("scheme", ["hmac-sha1", "sorted-md5"])
def test_which_scheme_names_the_setting_and_the_key(tmp_path: Path, scheme: str) -> None:
    body = to_body(EXAMPLE)
    (tmp_path / "body").write_bytes(body)

    result = run("which-scheme", str(tmp_path / "body"), signed(body, scheme)["X-AIRudder-Sign"], **KEYS)

    assert result.exit_code == 0
    assert result.stdout == f"AIRUDDER_SIGNATURE_SCHEME={scheme}  (key {KEY.id})\n"


def test_which_scheme_knows_standard_webhooks_by_its_published_vector_however_old(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b'{"test": 2432232314}')
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = ("--header", "Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek", "--header", "webhook-timestamp: 1614265330")
    keys = {"AIRUDDER_SIGNING_KEYS": "other:x,sw:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

    matching = run("which-scheme", str(tmp_path / "body"), signature, *headers, **keys)
    without = run("which-scheme", str(tmp_path / "body"), signature, **keys)

    assert matching.stdout == "AIRUDDER_SIGNATURE_SCHEME=standard-webhooks  (key sw)\n"
    assert without.exit_code == 1
    assert "--header" in without.stderr


def test_which_scheme_says_when_none_matches(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"{}")

    result = run("which-scheme", str(tmp_path / "body"), "0" * 64, **KEYS)

    assert result.exit_code == 1
    assert "no scheme matches" in result.stderr


def test_send_without_a_gateway_says_so() -> None:
    result = run("send", "--url", "http://127.0.0.1:9/x")

    assert result.exit_code == 1
    assert "not sent to http://127.0.0.1:9/x: " in result.stderr


def test_send_to_a_gateway_that_does_not_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sender.client.REQUEST_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/x"

        assert f"not sent to {url}: no answer in time" in run("send", "--url", url).stderr


@pytest.mark.parametrize("arguments", [["send", "/no/such/file"], ["which-scheme", "/no/such/file", "x"]])
def test_a_file_that_is_not_there_is_named(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert "/no/such/file" in result.stderr


@pytest.mark.parametrize("command", ["serve", "check-config", "send", "simulate", "which-scheme"])
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert command in result.stdout
