"""Settings come from the environment, and bad ones are refused with every fault at once and no secret."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import certifi
import pytest
from pydantic import SecretStr

from schemas.connection import RegistryConnection
from schemas.errors import SettingsError
from streams.settings import KafkaSettings, TopicSettings, WorkerSettings

SECRETS = {
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_USERNAME": "u",
    "KAFKA_SASL_PASSWORD": "hunter2",
    "SCHEMA_REGISTRY_URL": "http://registry",
    "SCHEMA_REGISTRY_USERNAME": "u",
    "SCHEMA_REGISTRY_PASSWORD": "hunter4",
}


def faults_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        WorkerSettings.from_env(environ)
    return caught.value.faults


def test_an_empty_environment_gives_the_defaults() -> None:
    assert WorkerSettings() == WorkerSettings.from_env({})


def test_an_empty_variable_counts_as_unset() -> None:
    assert WorkerSettings() == WorkerSettings.from_env({"STREAMS_WINDOW_S": "", "STREAMS_APP_ID": "  "})


def test_the_defaults_are_the_contracts() -> None:
    settings = WorkerSettings()

    assert (settings.window_s, settings.grace_s, settings.dedup_days) == (300, 3600, 7)
    assert settings.timezone == ZoneInfo("UTC")


def test_every_setting_is_read() -> None:
    settings = WorkerSettings.from_env(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2",
            "KAFKA_SASL_MECHANISM": "scram-sha-256",
            "KAFKA_SSL_CAFILE": certifi.where(),
            "KAFKA_COMPRESSION_TYPE": "LZ4",
            "STREAMS_APP_ID": "mine",
            "STREAMS_DATA_DIR": "/data",
            "STREAMS_WINDOW_S": "60",
            "STREAMS_GRACE_S": "0",
            "STREAMS_DEDUP_DAYS": "30",
            "STREAMS_OPS_PORT": "0",
            "AIRUDDER_ACCOUNT_TIMEZONE": "Asia/Manila",
            **SECRETS,
        }
    )

    kafka = KafkaSettings(
        bootstrap_servers="a:1,b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="u",
        sasl_password=SecretStr("hunter2"),
        ssl_cafile=certifi.where(),
        compression_type="lz4",
    )
    registry = RegistryConnection(url="http://registry", username="u", password=SecretStr("hunter4"))
    expected = WorkerSettings(
        kafka=kafka,
        registry=registry,
        app_id="mine",
        data_dir=Path("/data"),
        window_s=60,
        grace_s=0,
        dedup_days=30,
        ops_port=0,
        account_timezone="Asia/Manila",
    )
    assert settings == expected
    assert settings.timezone == ZoneInfo("Asia/Manila")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "nowhere"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:65536"),
        ("KAFKA_BOOTSTRAP_SERVERS", ":9092"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("SCHEMA_REGISTRY_URL", "registry:8081"),
        ("STREAMS_WINDOW_S", "0"),
        ("STREAMS_WINDOW_S", "300s"),
        ("STREAMS_WINDOW_S", "3e2"),
        ("STREAMS_WINDOW_S", "\u00b2"),
        ("STREAMS_WINDOW_S", "86401"),
        ("STREAMS_GRACE_S", "-1"),
        ("STREAMS_DEDUP_DAYS", "0"),
        ("STREAMS_OPS_PORT", "65536"),
        ("AIRUDDER_ACCOUNT_TIMEZONE", "Manila"),
        ("AIRUDDER_ACCOUNT_TIMEZONE", "../etc/passwd"),
        ("AIRUDDER_ACCOUNT_TIMEZONE", "Asia"),
        ("STREAMS_WINDOWS_S", "300"),
        ("STREAMS_", "x"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(name: str, value: str) -> None:
    (fault,) = faults_of({name: value})

    assert fault.startswith(name)


def test_every_fault_is_named_at_once() -> None:
    faults = faults_of(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "nowhere",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "SCHEMA_REGISTRY_URL": "ftp://host",
            "STREAMS_WINDOW_S": "no",
            "STREAMS_GRACE_S": "no",
            "STREAMS_GRACE": "1",
            "AIRUDDER_ACCOUNT_TIMEZONE": "Nowhere/At_All",
        }
    )

    assert {fault.split(":")[0] for fault in faults} == {
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD",
        "SCHEMA_REGISTRY_URL",
        "STREAMS_WINDOW_S",
        "STREAMS_GRACE_S",
        "STREAMS_GRACE",
        "AIRUDDER_ACCOUNT_TIMEZONE",
    }
    with pytest.raises(SettingsError) as caught:
        raise SettingsError(faults)
    assert all(fault in str(caught.value) for fault in faults)


def test_names_of_other_software_and_other_roles_are_left_alone() -> None:
    environ = {"KAFKA_HEAP_OPTS": "-Xmx1g", "GATEWAY_PORT": "1", "MONITOR_PORT": "2", "STREAMS_PARTITIONS": "3"}

    assert WorkerSettings() == WorkerSettings.from_env(environ)


@pytest.mark.parametrize("given", [{}, {"KAFKA_SASL_USERNAME": "u"}, {"KAFKA_SASL_PASSWORD": "p"}])
def test_sasl_without_name_and_password_is_refused(given: dict[str, str]) -> None:
    (fault,) = faults_of({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **given})

    assert fault.startswith("KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: both are required")


def test_no_secret_is_in_a_repr() -> None:
    assert "hunter" not in repr(WorkerSettings.from_env(SECRETS))


def test_no_secret_is_in_a_message() -> None:
    faults = faults_of(
        {**SECRETS, "SCHEMA_REGISTRY_URL": "ftp://user:hunter4@host", "KAFKA_SECURITY_PROTOCOL": "SASL_X"}
    )

    assert len(faults) == 2
    assert "hunter" not in str(SettingsError(faults))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (12, 0, "airudder-streams")),
        ({"STREAMS_PARTITIONS": "3", "STREAMS_REPLICATION_FACTOR": "2", "STREAMS_APP_ID": "x"}, (3, 2, "x")),
    ],
)
def test_topics_are_made_as_the_environment_says(environ: dict[str, str], expected: tuple[int, int, str]) -> None:
    settings = TopicSettings.from_env(environ)

    assert (settings.partitions, settings.replication_factor, settings.app_id) == expected


def test_topic_settings_name_every_fault_at_once() -> None:
    environ = {"STREAMS_PARTITIONS": "0", "STREAMS_REPLICATION_FACTOR": "many", "STREAMS_PARTITION": "3"}

    with pytest.raises(SettingsError) as caught:
        TopicSettings.from_env(environ)

    assert len(caught.value.faults) == 3


def test_a_plain_client_gets_no_credentials() -> None:
    arguments = KafkaSettings(bootstrap_servers="a:1").client_arguments()

    assert arguments == {"bootstrap_servers": "a:1", "security_protocol": "PLAINTEXT"}


def test_a_client_with_sasl_and_tls_gets_both() -> None:
    kafka = KafkaSettings(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password=SecretStr("p"),
    )

    arguments = kafka.client_arguments()

    assert (arguments["sasl_mechanism"], arguments["sasl_plain_username"]) == ("SCRAM-SHA-512", "u")
    assert (arguments["sasl_plain_password"], arguments["ssl_context"].check_hostname) == ("p", True)


@pytest.mark.parametrize(("prefix", "is_taken"), [("p" * 22, True), ("p" * 23, False)])
def test_the_longest_name_of_a_topic_fits_into_kafkas_limit(prefix: str, is_taken: bool) -> None:
    environ = {"AIRUDDER_TOPIC_PREFIX": prefix, "STREAMS_APP_ID": "a" * 200}

    if is_taken:
        assert WorkerSettings.from_env(environ).group == prefix + "a" * 200
    else:
        with pytest.raises(SettingsError, match=r"AIRUDDER_TOPIC_PREFIX, STREAMS_APP_ID: .*250 characters"):
            WorkerSettings.from_env(environ)
