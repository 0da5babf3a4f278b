"""Settings come from the environment, and a bad one is refused with every fault at once."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest
from pydantic import SecretStr

from schemas.connection import RegistryConnection
from schemas.errors import SettingsError
from streams.monitor import app
from streams.monitor.settings import MonitorSettings
from streams.settings import KafkaSettings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert MonitorSettings() == MonitorSettings.from_env({"MONITOR_PORT": ""})


def test_every_setting_is_read() -> None:
    settings = MonitorSettings.from_env(
        {
            "MONITOR_HOST": "0.0.0.0",
            "MONITOR_PORT": "9",
            "KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2",
            "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "u",
            "KAFKA_SASL_PASSWORD": "p",
            "KAFKA_SSL_CAFILE": certifi.where(),
            "SCHEMA_REGISTRY_URL": "https://r/",
            "STREAMS_APP_ID": "mine",
            "STREAMS_WINDOW_S": "60",
            "MONITOR_GROUPS": "mine-*",
            "MONITOR_HISTORY_DAYS": "7",
            "MONITOR_DATA_DIR": "/data",
            "MONITOR_GATEWAY_URLS": "http://g:8001",
            "MONITOR_WORKER_URLS": "http://a:8002, http://b:8002",
            "MONITOR_SHOW_RECORDS": "true",
        }
    )

    kafka = KafkaSettings(
        bootstrap_servers="a:1,b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password=SecretStr("p"),
        ssl_cafile=certifi.where(),
    )
    registry = RegistryConnection(url="https://r/")
    expected = MonitorSettings(
        kafka=kafka,
        registry=registry,
        host="0.0.0.0",
        port=9,
        app_id="mine",
        window_s=60,
        groups="mine-*",
        history_days=7,
        data_dir=Path("/data"),
        gateway_urls="http://g:8001",
        worker_urls="http://a:8002,http://b:8002",
        show_records=True,
    )
    assert settings == expected


@pytest.mark.parametrize(
    ("environ", "shows"),
    [
        ({}, True),
        ({"MONITOR_HOST": "::1"}, True),
        ({"MONITOR_HOST": "0.0.0.0"}, False),
        ({"MONITOR_HOST": "monitor.internal"}, False),
        ({"MONITOR_HOST": "0.0.0.0", "MONITOR_SHOW_RECORDS": "true"}, True),
        ({"MONITOR_SHOW_RECORDS": "false"}, False),
    ],
)
def test_records_are_shown_where_only_this_machine_looks_or_where_it_was_asked_for(
    environ: dict[str, str], shows: bool
) -> None:
    assert MonitorSettings.from_env(environ).shows_records is shows


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        MonitorSettings.from_env(
            {
                "MONITOR_PORT": "70000",
                "MONITOR_PROT": "1",
                "STREAMS_WINDOWS": "1",
                "KAFKA_BOOTSTRAP_SERVERS": "nowhere",
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "MAGIC",
                "SCHEMA_REGISTRY_URL": "ftp://user:secret@host",
                "STREAMS_WINDOW_S": "²",
            }
        )

    named = {fault.split(":")[0] for fault in caught.value.faults}
    assert named == {
        "MONITOR_PORT",
        "MONITOR_PROT",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD",
        "KAFKA_SASL_MECHANISM",
        "SCHEMA_REGISTRY_URL",
        "STREAMS_WINDOW_S",
        "STREAMS_WINDOWS",
    }
    assert "secret" not in str(caught.value)


def test_a_repr_hides_every_secret() -> None:
    kafka = KafkaSettings(sasl_password=SecretStr("hunter2"), ssl_password=SecretStr("hunter3"))
    settings = MonitorSettings(kafka=kafka, registry=RegistryConnection(url="http://user:hunter4@host"))

    assert "hunter" not in repr(settings)


@pytest.mark.parametrize(
    "environ",
    [{"MONITOR_PORT": "many"}, {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "/no/such/file"}],
    ids=["port", "certificate"],
)
def test_a_refused_setting_ends_the_command_with_code_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app, "configure_logging", lambda **_: None)

    assert app.main() == 78
    assert list(environ)[-1][:9] in capsys.readouterr().err
