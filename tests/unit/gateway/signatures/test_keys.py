"""Keys from a file: read whole or not at all, valid in their time, changed while the gateway runs."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.gateway import Gateway
from gateway.settings import GatewaySettings
from gateway.signatures.key_ring import KeyRing, _content
from gateway.signatures.verification import Unverified, Verified, Verifier
from schemas.errors import KeysError, SettingsError
from schemas.signatures.keys import Key, read_keys
from schemas.signatures.signing import sign
from tests.support.fakes import FakePublisher
from tests.support.waiting import PATIENCE_S, wait_until

NOON = 1_704_110_400.0  # 2024-01-01T12:00:00Z
SECRET = "planted-s3cret"
BODY = b"{}"


def write(path: Path, *entries: Any) -> str:
    path.write_text(json.dumps(list(entries)))
    return str(path)


def entry(key_id: str = "k1", secret: str = SECRET, **times: str) -> dict[str, str]:
    return {"id": key_id, "secret": secret, **times}


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    as_json = write(tmp_path / "keys.json", entry(not_before="2024-01-01T12:00:00Z"), entry("k2", "b"))
    as_toml = tmp_path / "keys.toml"
    as_toml.write_text(
        f'[[keys]]\nid = "k1"\nsecret = "{SECRET}"\nnot_before = 2024-01-01T12:00:00Z\n'
        '[[keys]]\nid = "k2"\nsecret = "b"\n'
    )

    assert read_keys(as_json) == read_keys(str(as_toml)) == (Key("k1", SECRET.encode(), NOON), Key("k2", b"b"))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is not JSON"),
        ('{"keys": 1}', "is not a list of keys"),
        ("[]", "holds no key"),
        ("[1]", "entry 1: is not an object"),
        ('[{"id": "a b", "secret": "x"}]', "entry 1: id: 1 to 64 letters"),
        ('[{"id": "a", "secret": ""}]', "entry 1: secret: missing or empty"),
        ('[{"id": "a"}]', "entry 1: secret: missing or empty"),
        ('[{"id": "a", "secret": "x", "not_befor": "2024-01-01T00:00:00Z"}]', "entry 1: unknown field"),
        ('[{"id": "a", "secret": "x", "not_after": "2024-01-01T00:00:00"}]', "not_after: not ISO 8601 with a zone"),
        ('[{"id": "a", "secret": "x", "not_after": 5}]', "not_after: not ISO 8601 with a zone"),
        (
            '[{"id": "a", "secret": "x", "not_before": "2024-01-01T00:00:00Z", "not_after": "2024-01-01T00:00:00Z"}]',
            "not_after is not later",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole_and_by_entry(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "keys.json").write_text(content)

    with pytest.raises(KeysError, match=fault):
        read_keys(str(tmp_path / "keys.json"))


def test_a_file_that_never_ends_is_not_opened(tmp_path: Path) -> None:
    """Neither at the start, which would stand still, nor by the watch, whose thread nobody could end."""
    os.mkfifo(tmp_path / "keys.json")
    with pytest.raises(KeysError, match="is not a file"):
        read_keys(str(tmp_path / "keys.json"))
    with pytest.raises(KeysError, match="is not a file"):
        read_keys(str(tmp_path))

    assert _content(str(tmp_path / "keys.json")) is None


@pytest.mark.parametrize(
    ("now_s", "verdict"),
    [
        (NOON - 1, Unverified("no_valid_key")),
        (NOON, Verified("hmac-sha256", "k1")),
        (NOON + 9, Verified("hmac-sha256", "k1")),
        (NOON + 10, Unverified("no_valid_key")),
    ],
)
def test_a_key_verifies_from_not_before_until_just_before_not_after(
    now_s: float, verdict: Verified | Unverified
) -> None:
    key = Key("k1", b"x", NOON, NOON + 10)
    headers = [(n.lower().encode(), v.encode()) for n, v in sign(BODY, "hmac-sha256", key, "Sign", now_s).items()]

    assert Verifier("auto", [key], "Sign").verify(BODY, headers, now_s) == verdict


def from_env(**environ: str) -> GatewaySettings:
    return GatewaySettings.from_env(environ)


def test_a_file_takes_the_place_of_the_default_key_and_stands_beside_keys_of_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", entry("k2"))

    alone = from_env(AIRUDDER_SIGNING_KEYS_FILE=file)
    beside = from_env(AIRUDDER_SIGNING_KEYS_FILE=file, AIRUDDER_SIGNING_KEYS="k1:x")

    assert [key.id for key in alone.load_keys()] == ["k2"]
    assert [key.id for key in beside.load_keys()] == ["k1", "k2"]
    assert SECRET not in str(alone.shown()) + repr(alone)


@pytest.mark.parametrize(
    ("entries", "environ", "fault"),
    [
        ([entry("k1")], {"AIRUDDER_SIGNING_KEYS": "k1:x"}, "two keys have the same id"),
        ([entry(secret="airudder")], {"GATEWAY_HOST": "0.0.0.0"}, "the default key is public"),
        ([entry()], {"AIRUDDER_SIGNATURE_SCHEME": "standard-webhooks"}, "whsec_"),
        ([entry("a b")], {}, "AIRUDDER_SIGNING_KEYS_FILE: entry 1: id"),
    ],
)
def test_what_is_wrong_with_a_file_refuses_to_start(
    tmp_path: Path, entries: list[Any], environ: dict[str, str], fault: str
) -> None:
    file = write(tmp_path / "keys.json", *entries)

    with pytest.raises(SettingsError) as caught:
        from_env(AIRUDDER_SIGNING_KEYS_FILE=file, **environ)

    assert fault in str(caught.value)
    assert SECRET not in str(caught.value)


def gateway_on(file: str) -> Gateway:
    return Gateway(from_env(AIRUDDER_SIGNING_KEYS_FILE=file), FakePublisher())


def loads(gateway: Gateway, outcome: str) -> float:
    name = "webhook_signing_key_loads_total"
    return gateway.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0


def valid_keys(gateway: Gateway) -> dict[str, float]:
    gateway.refresh_gauges()
    (family,) = [f for f in gateway.metrics.registry.collect() if f.name == "webhook_signing_key_valid"]
    return {sample.labels["key_id"]: sample.value for sample in family.samples}


def test_reloading_takes_the_new_keys_and_shows_them(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", entry("k1"))
    gateway = gateway_on(file)
    write(tmp_path / "keys.json", entry("k2"), entry("k3", not_before="2999-01-01T00:00:00Z"))

    assert gateway.keys.reload()

    assert valid_keys(gateway) == {"k2": 1, "k3": 0}
    assert loads(gateway, "loaded") == 1


@pytest.mark.parametrize("content", ["", "[]", '[{"id": "k1"}]', '[{"id": "k1", "secret": 5}]', None])
def test_a_bad_file_leaves_the_keys_in_force_loudly(tmp_path: Path, content: str | None) -> None:
    file = write(tmp_path / "keys.json", entry("k1"))
    gateway = gateway_on(file)
    if content is None:
        Path(file).unlink()
    else:
        Path(file).write_text(content)

    with structlog.testing.capture_logs() as logs:
        assert not gateway.keys.reload()

    assert valid_keys(gateway) == {"k1": 1}
    assert loads(gateway, "refused") == 1
    assert [(line["event"], line["log_level"]) for line in logs] == [("keys.refused", "error")]
    assert SECRET not in str(logs)


def test_a_reload_is_held_to_the_rules_of_the_start(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", entry("k1"))
    configured = from_env(AIRUDDER_SIGNING_KEYS_FILE=file, GATEWAY_HOST="0.0.0.0")
    gateway = Gateway(configured, FakePublisher())
    write(tmp_path / "keys.json", entry("k2", "airudder"))

    assert not gateway.keys.reload()
    assert valid_keys(gateway) == {"k1": 1}


def test_the_operator_is_told_of_a_file_that_cannot_be_used_and_of_keys_that_are_all_out_of_time(
    tmp_path: Path,
) -> None:
    gateway = gateway_on(write(tmp_path / "keys.json", entry("k1")))
    (tmp_path / "keys.json").write_text("[")
    gateway.keys.reload()
    assert gateway.notes() == ["AIRUDDER_SIGNING_KEYS_FILE: is not JSON; the keys read before stay in force"]
    assert gateway.faults() == []

    write(tmp_path / "keys.json", entry("k1", not_after="2024-01-01T12:00:00Z"))
    gateway.keys.reload()
    assert gateway.notes() == []
    assert gateway.faults() == ["no signing key is valid now: every callback is refused, and kept in quarantine"]


@pytest.mark.parametrize("mode", ["report", "off"])
def test_who_asks_for_no_signature_is_ready_without_a_valid_key(tmp_path: Path, mode: str) -> None:
    file = write(tmp_path / "keys.json", entry("k1", not_after="2024-01-01T12:00:00Z"))

    assert (
        Gateway(from_env(AIRUDDER_SIGNING_KEYS_FILE=file, AIRUDDER_SIGNATURE_MODE=mode), FakePublisher()).faults() == []
    )


async def test_a_changed_file_is_taken_by_itself_but_not_while_it_is_still_changing(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", entry("k1"))
    ring = KeyRing(read_keys(file), lambda: read_keys(file), file)
    loaded: list[list[str]] = []
    ring.on_load = lambda is_loaded: loaded.append([key.id for key in ring.keys])
    watching = asyncio.create_task(ring.watch(every_s=0.01))
    await wait_until(lambda: loaded, PATIENCE_S, "the first look")

    write(tmp_path / "keys.json", entry("k1"), entry("k2"))
    await wait_until(lambda: len(loaded) > 1, PATIENCE_S, "the second")
    watching.cancel()

    assert loaded == [["k1"], ["k1", "k2"]]
