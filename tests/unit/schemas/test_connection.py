"""How Kafka and the registry are reached: TLS files are judged, credentials arrive and are shown nowhere."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import server_list
from pydantic import SecretStr

from gateway.publishing import kafka as kafka_publisher
from gateway.publishing.kafka import KafkaPublisher
from schemas.connection import KafkaConnection, RegistryConnection, without_credentials
from schemas.errors import RegistryUnavailableError, UnknownSchemaError
from schemas.records.calls import Call
from schemas.registry import Registry
from streams.settings import WorkerSettings
from streams.worker.faust_app import build_faust_app
from tests.support.certificates import PASSWORD, Files, make_certificates
from tests.support.requests import settings

TLS = {"KAFKA_SECURITY_PROTOCOL": "SSL"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_certificates(tmp_path_factory.mktemp("pem"))


def kafka(**values: Any) -> KafkaConnection:
    return KafkaConnection(**{f"KAFKA_{name.upper()}": value for name, value in values.items()})


def registry(**values: Any) -> RegistryConnection:
    return RegistryConnection(**{f"SCHEMA_REGISTRY_{name.upper()}": value for name, value in values.items()})


def test_an_encrypted_key_is_opened_by_its_password(files: Files) -> None:
    connection = kafka(
        security_protocol="ssl",
        ssl_cafile=files.authority,
        ssl_certfile=files.certificate,
        ssl_keyfile=files.encrypted_key,
        ssl_password=PASSWORD,
    )

    assert connection.contradictions() == []
    assert isinstance(connection.client_arguments()["ssl_context"], ssl.SSLContext)
    assert PASSWORD not in f"{connection!r}{connection.shown()}"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"ssl_keyfile": "encrypted_key"}, "KAFKA_SSL_PASSWORD: required, as KAFKA_SSL_KEYFILE is encrypted"),
        (
            {"ssl_keyfile": "encrypted_key", "ssl_password": "wrong"},
            "KAFKA_SSL_PASSWORD: does not open KAFKA_SSL_KEYFILE",
        ),
        ({"ssl_keyfile": "other_key"}, "KAFKA_SSL_KEYFILE: is not the key of KAFKA_SSL_CERTFILE"),
        ({"ssl_keyfile": "certificate"}, "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: not a certificate and its key"),
        ({"ssl_certfile": "key"}, "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: not a certificate and its key"),
        ({"ssl_cafile": "key"}, "KAFKA_SSL_CAFILE: holds no certificate in PEM form"),
        ({"security_protocol": "PLAINTEXT"}, "would not be used; set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL"),
        ({"ssl_keyfile": None}, "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: set both or neither"),
    ],
)
def test_files_that_tls_cannot_use_are_named_and_never_asked_about_on_the_terminal(
    files: Files, changes: dict[str, str | None], fault: str
) -> None:
    names = {
        "security_protocol": "SSL",
        "ssl_cafile": "authority",
        "ssl_certfile": "certificate",
        "ssl_keyfile": "key",
        **changes,
    }
    values = {name: getattr(files, value or "", value) for name, value in names.items()}

    [told] = kafka(**values).contradictions()

    assert fault in told
    assert str(Path(files.key).parent) not in told


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"sasl_username": "u"}, "set both or neither"),
        ({"sasl_password": "hunter2"}, "set both or neither"),
        ({"sasl_username": "u", "sasl_password": "hunter2"}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: would not be"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, "KAFKA_SASL_MECHANISM: would not be used"),
        ({"ssl_password": "hunter2"}, "KAFKA_SSL_PASSWORD: would not be used"),
        ({"security_protocol": "SSL", "ssl_password": "hunter2"}, "opens KAFKA_SSL_KEYFILE, which is not set"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "u"}, "both are required"),
    ],
)
def test_half_a_login_and_one_that_would_not_be_used_are_refused(values: dict[str, str], fault: str) -> None:
    [told] = kafka(**values).contradictions()

    assert fault in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "servers",
    [
        "k:9092",
        "a:1,b:2",
        "a:1, b:2",
        "[::1]:9092",
        "10.0.0.1:65535",
        "kafka-0.kafka.ns.svc.cluster.local:9092",
        "k_1:9",
    ],
)
def test_servers_are_hosts_with_ports(servers: str) -> None:
    assert kafka(bootstrap_servers=servers).bootstrap_servers == servers.replace(" ", "")


@pytest.mark.parametrize(
    "servers",
    ["k", "k:", ":9092", "k:0", "k:65536", "k:x", "a:1,", "::1:9092", "[::1]", "[k]:1", "PLAINTEXT://k:9092", "k 1:9"],
)
def test_anything_else_is_no_server(servers: str) -> None:
    with pytest.raises(ValueError, match="must be host:port"):
        kafka(bootstrap_servers=servers)


@pytest.mark.parametrize("server", ["[::1]:9092", "k:9092"])
def test_the_worker_reaches_the_servers_that_the_others_reach(server: str, tmp_path: Path) -> None:
    app = build_faust_app(WorkerSettings(data_dir=tmp_path, kafka=kafka(bootstrap_servers=server)))

    assert server_list(app.conf.broker_consumer, 1) == [server]


@pytest.mark.parametrize(("codec", "given"), [("zstd", "zstd"), ("LZ4", "lz4"), ("snappy", "snappy"), ("none", None)])
def test_gateway_and_worker_compress_as_the_setting_says(
    codec: str, given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = kafka(compression_type=codec)
    monkeypatch.setattr(kafka_publisher, "AIOKafkaProducer", lambda **arguments: arguments)
    producer: Any = KafkaPublisher(settings(kafka=connection), [])._new_producer()
    app = build_faust_app(WorkerSettings(data_dir=tmp_path, kafka=connection))

    assert producer["compression_type"] == app.conf.producer_compression_type == given


# -- the registry


@pytest.mark.parametrize(
    "url",
    [
        "http://r",
        "https://r:8081/apis/ccompat/v7",
        "http://user:pass@r:1/x",
        "http://[::1]:8081",
        "http://a,https://b/x",
    ],
)
def test_a_registry_is_an_http_url_or_several(url: str) -> None:
    assert registry(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "r:8081",
        "ftp://r",
        "http://",
        "http:///x",
        "http://r:x",
        "http://r:0",
        "http://r x",
        "http://r?x=1",
        "https://r,b",
    ],
)
def test_anything_else_is_no_registry(url: str) -> None:
    with pytest.raises(ValueError, match="must start with http:// or https://"):
        registry(url=url)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"username": "u"}, "set both or neither"),
        ({"password": "hunter2"}, "set both or neither"),
        ({"username": "u:v", "password": "hunter2"}, "holds a colon"),
        ({"username": "u", "password": "hunter2", "url": "http://a:hunter3@r"}, "names a user too"),
        ({"cafile": "authority"}, "does not begin with https://"),
        ({"cafile": "key", "url": "https://r"}, "SCHEMA_REGISTRY_CAFILE: holds no certificate"),
    ],
)
def test_what_the_registrys_settings_cannot_mean_is_refused(files: Files, values: dict[str, str], fault: str) -> None:
    values = {name: getattr(files, value) if name == "cafile" else value for name, value in values.items()}

    [told] = registry(**values).contradictions()

    assert fault in told
    assert "hunter" not in told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:hunter2@r:1/x", "http://(set)@r:1/x"),
        ("http://hunter2@r", "http://(set)@r"),
        ("http://u:hunter2@a,https://v:hunter3@b/x@y", "http://(set)@a,https://(set)@b/x@y"),
        ("http://r/x", "http://r/x"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
    assert registry(url=url).shown()["SCHEMA_REGISTRY_URL"] == shown


class _Registry(BaseHTTPRequestHandler):
    """Knows no id, and only who it was asked by."""

    asked_by: list[str | None]

    def do_GET(self) -> None:
        self.asked_by.append(self.headers["Authorization"])
        body = json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def https_registry(files: Files) -> Iterator[tuple[str, list[str | None]]]:
    asked_by: list[str | None] = []
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Registry,), {"asked_by": asked_by}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    yield f"https://127.0.0.1:{server.server_port}", asked_by
    server.shutdown()
    serving.join()
    server.server_close()


async def test_a_registry_behind_tls_and_a_password_is_asked_as_the_settings_say(
    files: Files, https_registry: tuple[str, list[str | None]]
) -> None:
    url, asked_by = https_registry
    client = Registry(RegistryConnection(url=url, username="us", password=SecretStr("p:w"), cafile=files.authority))

    with pytest.raises(UnknownSchemaError):
        await client.decode(b"\x00\x00\x00\x00\x07x", Call)
    await client.aclose()

    assert asked_by == [f"Basic {base64.b64encode(b'us:p:w').decode()}"]


async def test_a_registry_whose_authority_is_not_known_is_not_asked(
    https_registry: tuple[str, list[str | None]],
) -> None:
    url, asked_by = https_registry
    client = Registry(url)

    with pytest.raises(RegistryUnavailableError, match=r"certificate does not verify .*SCHEMA_REGISTRY_CAFILE"):
        await client.decode(b"\x00\x00\x00\x00\x07x", Call)
    await client.aclose()

    assert asked_by == []
