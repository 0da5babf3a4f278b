"""A broker that refuses us is named with the reason and the remedy: wrong password, wrong port, wrong certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from streams.admin import check_topics
from streams.errors import BrokerUnavailableError
from streams.settings import KafkaSettings
from tests.secured_kafka import PASSWORD, SecuredKafka

USERS = ("operator", "worker", "monitor", "gateway")
APP = "airudder-streams"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("secured"), USERS) as kafka:
        yield kafka


def connection(kafka: SecuredKafka, port: str, protocol: str, **changes: Any) -> KafkaSettings:
    """How to come to one port with the protocol; who and with what, unless `changes` say otherwise."""
    files = kafka.certificates
    names = {"{stranger}": str(files.stranger), "{client}": str(files.client), "{client_key}": str(files.client_key)}
    sasl = {"sasl_username": "worker", "sasl_password": PASSWORD} if "SASL" in protocol else {}
    tls = {"ssl_cafile": str(files.authority)} if protocol.endswith("SSL") else {}
    client = {"ssl_certfile": str(files.client), "ssl_keyfile": str(files.client_key)} if protocol == "SSL" else {}
    given = {**sasl, **tls, **client, **{name: names.get(value, value) for name, value in changes.items()}}
    servers = kafka.bootstrap_servers if port == "PLAINTEXT" else kafka.servers(port)
    return KafkaSettings(bootstrap_servers=servers, security_protocol=protocol, **given)


class Row(NamedTuple):
    """Which port, spoken to by which protocol, with what changed; what must be said."""

    port: str
    protocol: str
    changes: dict[str, Any]
    said: tuple[str, ...]


ROWS = (
    Row("SASL_PLAINTEXT", "SASL_PLAINTEXT", {"sasl_password": "wrong"}, ("user worker by mechanism PLAIN",)),
    Row("SASL_SSL", "SASL_SSL", {"sasl_username": "nobody"}, ("failed for user nobody", "_USERNAME")),
    Row("SASL_PLAINTEXT", "SASL_PLAINTEXT", {"sasl_mechanism": "SCRAM-SHA-512"}, ("MECHANISM=SCRAM-SHA-512",)),
    Row("SASL_PLAINTEXT", "PLAINTEXT", {}, ("SASL", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT")),
    Row("PLAINTEXT", "SASL_PLAINTEXT", {}, ("asks for no user", "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")),
    Row("SSL", "PLAINTEXT", {}, ("speaks TLS", "KAFKA_SECURITY_PROTOCOL=PLAINTEXT")),
    Row("SASL_SSL", "SASL_PLAINTEXT", {}, ("speaks TLS", "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT")),
    Row("PLAINTEXT", "SSL", {}, ("speak TLS", "KAFKA_SECURITY_PROTOCOL=SSL")),
    Row("SSL", "SSL", {"ssl_cafile": "{stranger}"}, ("certificate does not verify", "KAFKA_SSL_CAFILE")),
    Row("SSL", "SSL", {"ssl_cafile": None}, ("certificate does not verify", "KAFKA_SSL_CAFILE")),
    Row("SSL", "SSL", {"ssl_certfile": None, "ssl_keyfile": None}, ("a client certificate", "_CERTFILE")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.protocol} to {row.port} {'-'.join(row.changes)}")
async def test_a_refused_connection_says_why_and_what_mends_it(kafka: SecuredKafka, row: Row) -> None:
    settings = connection(kafka, row.port, row.protocol, **row.changes)

    with pytest.raises(BrokerUnavailableError) as raised:
        await check_topics(settings, APP)

    said = str(raised.value)
    assert [word for word in row.said if word not in said] == [], said
    assert settings.bootstrap_servers in said
    assert PASSWORD not in said.split()
