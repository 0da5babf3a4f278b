"""What an environment says: settings, slips, and what is neither."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.runtime.environment import Given, read
from schemas.runtime.settings import IN_FILES, NAMES

# Names that Kafka's image, its tools and other software know; a role may find them in its environment.
OTHERS = [
    "KAFKA_HOME",
    "KAFKA_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_DEBUG",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_VERSION",
    "KAFKA_NODE_ID",
    "KAFKA_BROKER_ID",
    "KAFKA_PROCESS_ROLES",
    "KAFKA_LISTENERS",
    "KAFKA_ADVERTISED_LISTENERS",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
    "KAFKA_INTER_BROKER_LISTENER_NAME",
    "KAFKA_LOG_DIRS",
    "KAFKA_CONTROLLER_QUORUM_VOTERS",
    "KAFKA_SECURITY_INTER_BROKER_PROTOCOL",
    "KAFKA_SECURITY_PROVIDERS",
    "KAFKA_SASL_ENABLED_MECHANISMS",
    "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL",
    "KAFKA_SASL_JAAS_CONFIG",
    "KAFKA_SASL_OAUTHBEARER_JWKS_ENDPOINT_URL",
    "KAFKA_SSL_KEYSTORE_LOCATION",
    "KAFKA_SSL_KEYSTORE_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD",
    "KAFKA_SSL_KEY_CREDENTIALS",
    "KAFKA_SSL_TRUSTSTORE_LOCATION",
    "KAFKA_SSL_CLIENT_AUTH",
    "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
    "KAFKA_COMPRESSION_ZSTD_LEVEL",
    "KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS",
    "KAFKA_REST_BOOTSTRAP_SERVERS",
    "KAFKA_CONNECT_BOOTSTRAP_SERVERS",
    "KAFKA_CFG_NODE_ID",
    "KAFKA_BROKERS",
    "KAFKA_URL",
    "KAFKA_TOPIC",
    "KAFKA_PORT",
    "KAFKA_SERVICE_HOST",
    "KAFKA_PORT_9092_TCP_ADDR",
    "STREAM_NAME",
    "GATEWAY",
    "MONITORING_URL",
    "PATH",
    "PYTHONPATH",
]

SLIPS = [
    ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
    ("KAFKA_BOOTSRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
    ("kafka_bootstrap_servers", "KAFKA_BOOTSTRAP_SERVERS"),
    ("KAFKA_SECURITY_PROTCOL", "KAFKA_SECURITY_PROTOCOL"),
    ("KAFKA_SECURITYPROTOCOL", "KAFKA_SECURITY_PROTOCOL"),
    ("KAFKA_SSL_CA_FILE", "KAFKA_SSL_CAFILE"),
    ("KAFKA_SSL_CERT_FILE", "KAFKA_SSL_CERTFILE"),
    ("KAFKA_SASL_USER", "KAFKA_SASL_USERNAME"),
    ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
    ("KAFKA_SALS_PASSWORD", "KAFKA_SASL_PASSWORD"),
    ("KAFKA_SASL_PASSWORD_FIL", "KAFKA_SASL_PASSWORD_FILE"),
    ("KAFKA_COMPRESSION", "KAFKA_COMPRESSION_TYPE"),
    ("SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_USERNAME"),
    ("SCHEMA_REGISTRY_CA_FILE", "SCHEMA_REGISTRY_CAFILE"),
    ("AIRUDDER_TIMEZONE", "AIRUDDER_ACCOUNT_TIMEZONE"),
    ("airudder_account_timezone", "AIRUDDER_ACCOUNT_TIMEZONE"),
    ("AIRUDDER_SIGNING_KEY", "AIRUDDER_SIGNING_KEYS"),
    ("GATEWAY_PRT", "GATEWAY_PORT"),
    ("MONITOR_PRT", "MONITOR_PORT"),
    ("STREAMS_WINDOWS", "STREAMS_WINDOW_S"),
]

# A Service of any of these names makes all of the variables below, in every pod of the namespace.
SERVICES = [
    "GATEWAY",
    "MONITOR",
    "STREAMS",
    "AIRUDDER",
    "SCHEMA_REGISTRY",
    "KAFKA",
    "GATEWAY_OPS",
    "STREAMS_OPS",
    "STREAMS_WORKER",
]
MADE = {
    "SERVICE_HOST": "10.96.12.7",
    "SERVICE_PORT": "8000",
    "SERVICE_PORT_HTTP": "8000",
    "PORT": "tcp://10.96.12.7:8000",
    "PORT_8000_TCP": "tcp://10.96.12.7:8000",
    "PORT_8000_TCP_PROTO": "tcp",
    "PORT_8000_TCP_PORT": "8000",
    "PORT_8000_TCP_ADDR": "10.96.12.7",
    "PORT_53_UDP": "udp://10.96.12.7:53",
}
LINK = {
    "NAME": "/worker/gateway",
    "PORT": "tcp://172.17.0.5:8000",
    "ENV_PATH": "/bin",
    "PORT_8000_TCP_ADDR": "172.17.0.5",
}


def given(**environ: str) -> Given:
    return read(environ, NAMES, IN_FILES)


@pytest.mark.parametrize("name", OTHERS)
def test_other_softwares_variables_are_left_alone(name: str) -> None:
    assert given(**{name: "x"}) == Given({}, [], frozenset(), ())


@pytest.mark.parametrize(("name", "meant"), SLIPS)
def test_a_slip_is_a_fault_that_names_what_was_meant(name: str, meant: str) -> None:
    assert given(**{name: "hunter2"}).faults == [f"{name}: unknown setting; did you mean {meant}?"]


@pytest.mark.parametrize("name", ["GATEWAY_URL", "MONITOR_URL", "STREAMS_", "SCHEMA_REGISTRY_HEAP_OPTS"])
def test_a_name_under_our_prefixes_that_nobody_reads_is_a_fault(name: str) -> None:
    [fault] = given(**{name: "x"}).faults

    assert fault.startswith(f"{name}: unknown setting")


@pytest.mark.parametrize("service", SERVICES)
def test_what_kubernetes_makes_of_a_services_name_is_no_setting(service: str) -> None:
    made = {f"{service}_{rest}": value for rest, value in MADE.items()}

    found = given(**made)

    assert (found.values, found.faults) == ({}, [])
    told = [note.partition(": ")[2].split(", ") for note in found.notes]
    assert told == ([] if service == "KAFKA" else [sorted(made)])


def test_what_an_old_link_of_docker_makes_is_no_setting() -> None:
    found = given(**{f"GATEWAY_{rest}": value for rest, value in LINK.items()})

    assert (found.values, found.faults) == ({}, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [("GATEWAY_NAME", "mine"), ("GATEWAY_ENV_PATH", "/bin"), ("GATEWAY_PORT_TCP", "8000"), ("GATEWAY_SERVICE", "x")],
)
def test_what_only_looks_a_little_like_an_orchestrators_is_a_fault(name: str, value: str) -> None:
    assert given(**{name: value}).faults


def test_a_port_of_ours_beside_the_variables_of_a_service_is_taken() -> None:
    found = given(GATEWAY_PORT="8123", GATEWAY_SERVICE_HOST="10.96.12.7")

    assert found.values == {"GATEWAY_PORT": "8123"}


@pytest.mark.parametrize("name", ["AIRUDER_ACCOUNT_TIMEZONE", "STREAM_WINDOW_S", "GATWAY_PORT", "SCHEMAREGISTRY_URL"])
def test_a_slip_in_the_prefix_may_be_others_and_is_only_told(name: str) -> None:
    found = given(**{name: "hunter2"})

    assert found.faults == []
    [note] = found.notes
    assert note.startswith(f"{name} is no setting; did you mean ")


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_empty_counts_as_unset_also_for_a_name_that_nobody_reads(value: str) -> None:
    assert given(GATEWAY_PORT=value, GATEWAY_TYPO=value, KAFKA_SASL_PASSWORD=value).values == {}
    assert given(GATEWAY_TYPO=value).faults == []


def test_surrounding_blanks_are_dropped_but_not_those_of_a_password() -> None:
    found = given(SCHEMA_REGISTRY_URL=" http://x \n", KAFKA_SASL_PASSWORD=" hunter2 ")

    assert found.values == {"SCHEMA_REGISTRY_URL": "http://x", "KAFKA_SASL_PASSWORD": " hunter2 "}


def test_emptied_signing_keys_are_reported_unless_a_file_has_them() -> None:
    assert given(AIRUDDER_SIGNING_KEYS="").values == {"AIRUDDER_SIGNING_KEYS": ""}
    assert given(AIRUDDER_SIGNING_KEYS="", AIRUDDER_SIGNING_KEYS_FILE="f").values == {"AIRUDDER_SIGNING_KEYS_FILE": "f"}


def test_a_value_that_is_not_utf8_is_a_fault() -> None:
    assert given(GATEWAY_HOST=os.fsdecode(b"\xff")).faults == ["GATEWAY_HOST: is not UTF-8"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        ("\ufeffpässword".encode(), "pässword"),
    ],
)
@pytest.mark.parametrize("name", sorted(IN_FILES))
def test_a_secret_is_the_one_line_of_its_file(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    assert given(**{f"{name}_FILE": str(file)}) == Given({name: line}, [], frozenset(), ())


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\nhunter3\n", "has more than one line"),
        (b"hunter2" * 10_000, "is too large"),
        (b"hunter2\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_taken_is_reported_without_what_is_in_it(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    found = given(KAFKA_SASL_PASSWORD_FILE=str(file))

    assert found.faults == [f"KAFKA_SASL_PASSWORD_FILE: {fault}"]
    assert found.faulty == {"KAFKA_SASL_PASSWORD_FILE", "KAFKA_SASL_PASSWORD"}


def test_the_blanks_of_a_password_in_a_file_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hunter2 \n")
    file = str(tmp_path / "secret")

    assert given(KAFKA_SASL_PASSWORD_FILE=file).values == {"KAFKA_SASL_PASSWORD": " hunter2 "}
    assert given(KAFKA_SASL_USERNAME_FILE=file).values == {"KAFKA_SASL_USERNAME": "hunter2"}


def test_a_file_that_would_never_end_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path):
        assert given(KAFKA_SSL_PASSWORD_FILE=str(path)).faults == ["KAFKA_SSL_PASSWORD_FILE: is not a file"]


def test_a_secret_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")

    found = given(SCHEMA_REGISTRY_PASSWORD="hunter3", SCHEMA_REGISTRY_PASSWORD_FILE=str(tmp_path / "secret"))

    assert found.faults == ["SCHEMA_REGISTRY_PASSWORD_FILE: the same is given without _FILE: set one of them"]
