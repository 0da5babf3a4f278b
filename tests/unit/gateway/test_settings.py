"""Settings: every fault at once, secrets never shown."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from gateway.serving import server
from gateway.settings import ENVIRONMENT_NAMES, NEEDED_TO_SERVE, GatewaySettings
from schemas.errors import SettingsError
from schemas.runtime.listening import PortError
from schemas.signatures.keys import Key

KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "SCHEMA_REGISTRY_URL": "http://r:8081"}
# section 5 of the contract, the gateway's part
CONTRACT = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_CAFILE",
    "KAFKA_SSL_CERTFILE",
    "KAFKA_SSL_KEYFILE",
    "SCHEMA_REGISTRY_URL",
    "AIRUDDER_SIGNING_KEYS",
    "AIRUDDER_ALLOW_DEFAULT_KEY",
    "AIRUDDER_SIGNATURE_HEADER",
    "AIRUDDER_SIGNATURE_SCHEME",
    "AIRUDDER_SIGNATURE_MODE",
    "AIRUDDER_ACCOUNT_TIMEZONE",
    "GATEWAY_HOST",
    "GATEWAY_PORT",
    "GATEWAY_OPS_PORT",
    "GATEWAY_MAX_BODY_BYTES",
    "GATEWAY_PUBLISH_TIMEOUT_S",
]


def faults_of(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        GatewaySettings.from_env({**KAFKA, **environ}, required=NEEDED_TO_SERVE)
    return caught.value.faults


def test_the_defaults_are_the_contracts() -> None:
    settings = GatewaySettings.from_env({})

    assert (settings.host, settings.port, settings.ops_port) == ("127.0.0.1", 8000, 8001)
    assert (settings.max_body_bytes, settings.publish_timeout_s) == (1024 * 1024, 3)
    assert settings.signing_keys == (Key("default", b"airudder"),)
    assert (settings.signature_header, settings.signature_scheme) == ("X-AIRudder-Sign", "auto")
    assert (settings.signature_mode, settings.account_timezone) == ("enforce", "UTC")
    assert settings.quarantine_bytes_per_day == 1024**3


@pytest.mark.parametrize("name", CONTRACT)
def test_every_name_of_the_contract_is_known(name: str) -> None:
    assert name in ENVIRONMENT_NAMES


def test_several_keys_are_active_at_once_and_secrets_may_hold_colons() -> None:
    settings = GatewaySettings.from_env({"AIRUDDER_SIGNING_KEYS": "old:a:b, new:c"})

    assert settings.signing_keys == (Key("old", b"a:b"), Key("new", b"c"))


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("GATEWAY_PORT", "eighty", "integer"),
        ("GATEWAY_PORT", "70000", "65535"),
        ("GATEWAY_OPS_PORT", "8000", "must differ"),
        ("GATEWAY_MAX_BODY_BYTES", "0", "greater"),
        ("GATEWAY_PUBLISH_TIMEOUT_S", "-1", "greater"),
        ("GATEWAY_PUBLISH_TIMEOUT_S", "nan", "finite"),
        ("GATEWAY_PUBLISH_TIMEOUT_S", "inf", "finite"),
        ("GATEWAY_SPOOL_MAX_BYTES", "1000", "greater"),
        ("GATEWAY_SURPRISE", "1", "unknown setting"),
        ("AIRUDDER_SURPRISE", "1", "unknown setting"),
        ("AIRUDDER_SIGNATURE_SCHEME", "rot13", "must be one of auto, hmac-sha256"),
        ("AIRUDDER_SIGNATURE_MODE", "maybe", "'enforce', 'report' or 'off'"),
        ("AIRUDDER_SIGNATURE_HEADER", "two words", "header"),
        ("AIRUDDER_ACCOUNT_TIMEZONE", "Mars/Base", "IANA"),
        ("AIRUDDER_SIGNING_KEYS", "", "entry 1 is not id:secret"),
        ("AIRUDDER_SIGNING_KEYS", "a:x,b", "entry 2 is not id:secret"),
        ("AIRUDDER_SIGNING_KEYS", "a:", "entry 1 is not id:secret"),
        ("AIRUDDER_SIGNING_KEYS", "a:x,a:y", "same id"),
        ("SCHEMA_REGISTRY_URL", "ftp://r", "must start with http"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "KAFKA_SASL_PASSWORD"),
        ("KAFKA_SSL_CAFILE", "/no/such/file", "no such readable file"),
        ("KAFKA_SSL_CERTFILE", __file__, "both or neither"),
        ("KAFKA_SSL_KEYFILE", __file__, "both or neither"),
        ("KAFKA_SASL_USERNAME", "only-half", "both or neither"),
        ("KAFKA_SASL_PASSWORD", "only-half", "both or neither"),
        ("GATEWAY_WORKERS", "0", "greater"),
        ("GATEWAY_WORKERS", "65", "less"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, word: str) -> None:
    faults = faults_of(**{name: value})

    assert len(faults) == 1
    assert name in faults[0]
    assert word in faults[0]


@pytest.mark.parametrize("word", ["s3cret-planted", "447700900123"])
@pytest.mark.parametrize("name", sorted(ENVIRONMENT_NAMES))
def test_a_bad_value_is_not_repeated(name: str, word: str) -> None:
    value = f"{word}\n{word}"  # wrong for most; for the rest the fault is made elsewhere
    faults = faults_of(**{"GATEWAY_TYPO": word, name: value})

    assert not any(word in fault for fault in faults)


def test_workers_share_every_limit_and_together_keep_to_it(tmp_path: Path) -> None:
    whole = GatewaySettings.from_env(
        {
            "GATEWAY_WORKERS": "3",
            "GATEWAY_MAX_IN_FLIGHT_REQUESTS": "100",
            "GATEWAY_MAX_IN_FLIGHT_BYTES": "10000000",
            "GATEWAY_QUARANTINE_BYTES_PER_DAY": "100",
            "GATEWAY_RATE_GLOBAL_PER_S": "30",
            "GATEWAY_RATE_SOURCE_PER_S": "3",
            "GATEWAY_SPOOL_DIR": str(tmp_path),
            "GATEWAY_SPOOL_MAX_BYTES": "30000000",
        }
    )

    share = whole.share_of(2)

    assert (share.max_in_flight_requests, share.max_in_flight_bytes) == (33, 3333333)
    assert (share.quarantine_bytes_per_day, share.spool_max_bytes) == (33, 10000000)
    assert (share.rate_global_per_s, share.rate_source_per_s) == (10, 1)
    assert share.spool_dir == str(tmp_path / "worker-2")
    assert (whole.share_of(2).port, GatewaySettings.from_env({"GATEWAY_WORKERS": "2"}).share_of(1).spool_dir) == (
        8000,
        None,
    )


def test_a_workers_share_must_hold_a_body() -> None:
    """Else each large body is answered 429 for ever: come again, in vain."""
    for wrong in (
        {"GATEWAY_WORKERS": "4", "GATEWAY_MAX_IN_FLIGHT_BYTES": "4000000"},
        {"GATEWAY_MAX_IN_FLIGHT_BYTES": "100"},
    ):
        [fault] = faults_of(**wrong)

        assert fault.startswith("GATEWAY_WORKERS, GATEWAY_MAX_IN_FLIGHT_BYTES: ")


def test_every_fault_is_reported_at_once() -> None:
    faults = faults_of(
        GATEWAY_PORT="x",
        GATEWAY_TYPO="1",
        GATEWAY_SPOOL_MAX_BYTES="1",
        GATEWAY_HOST="0.0.0.0",
        KAFKA_BOOTSTRAP_SERVERS="",
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
    )

    named = [fault.split(":")[0] for fault in faults]
    assert named == [
        "AIRUDDER_SIGNING_KEYS",
        "GATEWAY_PORT",
        "GATEWAY_SPOOL_MAX_BYTES",
        "GATEWAY_TYPO",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org"])
def test_the_public_key_is_refused_where_others_can_reach_it(host: str) -> None:
    assert "AIRUDDER_ALLOW_DEFAULT_KEY" in faults_of(GATEWAY_HOST=host)[0]
    assert "AIRUDDER_ALLOW_DEFAULT_KEY" in faults_of(GATEWAY_HOST=host, AIRUDDER_SIGNING_KEYS="a:own,b:airudder")[0]


@pytest.mark.parametrize(
    "environ",
    [
        {"GATEWAY_HOST": "0.0.0.0", "AIRUDDER_ALLOW_DEFAULT_KEY": "1"},
        {"GATEWAY_HOST": "0.0.0.0", "AIRUDDER_SIGNING_KEYS": "own:secret"},
        {"GATEWAY_HOST": "::1"},
        {"GATEWAY_HOST": "localhost"},
    ],
)
def test_the_public_key_may_be_used_on_loopback_or_when_allowed(environ: dict[str, str]) -> None:
    assert GatewaySettings.from_env(environ)


def test_standard_webhooks_by_name_needs_its_own_kind_of_secret() -> None:
    scheme = {"AIRUDDER_SIGNATURE_SCHEME": "standard-webhooks"}

    assert "whsec_" in faults_of(**scheme, AIRUDDER_SIGNING_KEYS="a:plain")[0]
    assert GatewaySettings.from_env({**scheme, "AIRUDDER_SIGNING_KEYS": "a:whsec_c2VjcmV0"})


def test_kafka_settings_of_other_software_are_left_alone() -> None:
    assert GatewaySettings.from_env(
        {**KAFKA, "KAFKA_HEAP_OPTS": "-Xmx1g", "STREAMS_APP_ID": "x"}, required=NEEDED_TO_SERVE
    )


def test_serving_needs_kafka_and_the_registry_and_sending_does_not() -> None:
    with pytest.raises(SettingsError) as caught:
        GatewaySettings.from_env({}, required=NEEDED_TO_SERVE)

    assert caught.value.faults == ["KAFKA_BOOTSTRAP_SERVERS: required", "SCHEMA_REGISTRY_URL: required"]
    assert GatewaySettings.from_env({})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"GATEWAY_OPS_HOST": "127.0.0.2"}, ("127.0.0.2", 8001, "GATEWAY_OPS_HOST", "GATEWAY_OPS_PORT")),
        ({"GATEWAY_HOST": "127.0.0.3"}, ("127.0.0.3", 8001, "GATEWAY_HOST", "GATEWAY_OPS_PORT")),
    ],
)
async def test_health_and_metrics_are_served_on_their_own_host_or_the_webhooks(
    environ: dict[str, str],
    expected: tuple[str, int, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Any, ...]] = []

    def listen(*address: Any) -> AbstractContextManager[None]:
        asked.append(address)
        if len(asked) > 1:
            raise PortError("enough seen")
        return nullcontext()

    monkeypatch.setattr(server, "listen", listen)
    with pytest.raises(PortError, match="enough seen"):
        await server.serve(GatewaySettings.from_env(environ))

    assert asked[1] == expected


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    environ = {
        **KAFKA,
        "AIRUDDER_SIGNING_KEYS": "k1:hunter2",
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_USERNAME": "u",
        "KAFKA_SASL_PASSWORD": "hunter3",
    }
    settings = GatewaySettings.from_env(environ)
    shown = settings.shown()

    assert shown["KAFKA_SASL_PASSWORD"] == "set"
    assert shown["AIRUDDER_SIGNING_KEYS"] == "k1 (secret set)"
    assert set(shown) == ENVIRONMENT_NAMES
    for text in (repr(settings), str(settings), str(shown), str(faults_of(**environ, GATEWAY_X="1"))):
        assert "hunter" not in text
    assert "hunter" not in str(faults_of(AIRUDDER_SIGNING_KEYS="hunter2"))
