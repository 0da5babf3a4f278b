from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.connection import KafkaConnection, RegistryConnection
from streams.local.roles import Endpoints, probe_host, system_roles
from streams.settings import WorkerSettings

ENDPOINTS = Endpoints(
    bootstrap_servers="127.0.0.1:9092",
    registry_url="http://127.0.0.1:8081/apis/ccompat/v7",
    gateway_host="127.0.0.1",
    gateway_port=8000,
    gateway_ops_host="127.0.0.1",
    gateway_ops_port=8001,
    streams_ops_host="127.0.0.1",
    streams_ops_port=8002,
    monitor_host="127.0.0.1",
    monitor_port=8080,
)


def test_roles_are_started_as_commands_of_this_python_and_stopped_demo_first() -> None:
    roles = system_roles(ENDPOINTS, Path("/data"), local_kafka=True, demo=True)

    assert [role.argv for role in (roles.topics, *roles.serving, *roles.demo)] == [
        (sys.executable, "-m", "streams", "topics", "apply"),
        (sys.executable, "-m", "gateway", "serve"),
        (sys.executable, "-m", "streams", "worker"),
        (sys.executable, "-m", "streams", "monitor"),
        (sys.executable, "-m", "gateway", "simulate"),
    ]
    assert [role.ready_port for role in roles.serving] == [8001, 8002, 8080]


def test_every_role_is_told_the_same_settings_by_the_names_of_the_contract() -> None:
    roles = system_roles(ENDPOINTS, Path("/data"), local_kafka=False, demo=False)

    assert roles.demo == ()
    assert all(dict(role.environment) == dict(roles.topics.environment) for role in roles.serving)
    assert dict(roles.topics.environment) == {
        "PYTHONUNBUFFERED": "1",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
        "SCHEMA_REGISTRY_URL_FILE": "",
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": "8000",
        "GATEWAY_OPS_HOST": "127.0.0.1",
        "GATEWAY_OPS_PORT": "8001",
        "STREAMS_DATA_DIR": str(Path("/data/worker")),
        "STREAMS_OPS_HOST": "127.0.0.1",
        "STREAMS_OPS_PORT": "8002",
        "MONITOR_HOST": "127.0.0.1",
        "MONITOR_PORT": "8080",
        "MONITOR_DATA_DIR": str(Path("/data/monitor")),
        "MONITOR_GATEWAY_URLS": "http://127.0.0.1:8001",
        "MONITOR_WORKER_URLS": "http://127.0.0.1:8002",
        "MONITOR_PROBE_URL": "http://127.0.0.1:8000/webhooks/airudder/call-completion",
    }


def test_a_broker_of_ours_is_spoken_to_in_plain_text() -> None:
    roles = system_roles(ENDPOINTS, Path("/data"), local_kafka=True, demo=False)

    assert roles.topics.environment["KAFKA_SECURITY_PROTOCOL"] == "PLAINTEXT"


def test_credentials_of_a_cluster_are_kept_from_the_services_of_ours() -> None:
    cluster = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "u",
        "KAFKA_SASL_PASSWORD_FILE": "/run/secrets/kafka",
        "KAFKA_SSL_CAFILE": "/run/secrets/ca",
        "SCHEMA_REGISTRY_URL_FILE": "/run/secrets/registry",
        "SCHEMA_REGISTRY_USERNAME": "u",
        "SCHEMA_REGISTRY_PASSWORD": "hunter2",
    }
    roles = system_roles(ENDPOINTS, Path("/data"), local_kafka=True, local_registry=True, demo=False)

    settings = WorkerSettings.from_env({**cluster, **roles.topics.environment})

    assert settings.kafka == KafkaConnection(bootstrap_servers="127.0.0.1:9092", security_protocol="PLAINTEXT")
    assert settings.registry == RegistryConnection(url=ENDPOINTS.registry_url)


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")])
def test_a_server_on_every_address_is_asked_on_loopback(host: str, asked: str) -> None:
    roles = system_roles(replace(ENDPOINTS, gateway_ops_host=host), Path("/data"), local_kafka=True, demo=False)

    assert probe_host(host) == asked
    assert roles.serving[0].ready_host == asked
