"""A broker that asks who we are and what we may: SASL, TLS with and without client certificates, and rules (ACLs).

Its plain port is for the tests themselves: who comes there may do everything.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka.admin
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streams.local.ports import LOOPBACK, free_ports
from tests.support.processes.service import KafkaProcess

PASSWORD = "right"  # everybody's
ANSWER_S = 20.0
_LISTENERS = {"SASL_PLAINTEXT": "required", "SSL": "required", "SASL_SSL": "none"}

_library: Any = confluent_kafka.admin  # its names are not declared as exported


class Certificates(NamedTuple):
    """PEM files: an authority, the broker's and a client's certificate with their keys, and a foreign authority."""

    authority: Path
    broker: Path
    client: Path
    client_key: Path
    stranger: Path


class Rule(NamedTuple):
    """One right. kind: TOPIC, GROUP or CLUSTER; operation in the library's words, as READ."""

    user: str
    operation: str
    kind: str
    name: str
    is_prefix: bool = False


class SecuredKafka(KafkaProcess):
    """Listeners beside the plain one: `servers(protocol)`. `users` have PASSWORD, by PLAIN."""

    def __init__(self, data_dir: Path, users: tuple[str, ...]) -> None:
        super().__init__(data_dir)
        self.certificates = make_certificates(data_dir / "tls")
        self._users = users
        self._ports = dict(zip(_LISTENERS, free_ports(len(_LISTENERS)), strict=True))

    def servers(self, protocol: str) -> str:
        return f"{LOOPBACK}:{self._ports[protocol]}"

    def allow(self, *rules: Rule) -> None:
        client = self._client()
        _wait(client.create_acls([_acl(_library.AclBinding, rule) for rule in rules]))

    def forbid(self, *rules: Rule) -> None:
        """Take the rights away again."""
        client = self._client()
        _wait(client.delete_acls([_acl(_library.AclBindingFilter, rule) for rule in rules]))

    def _client(self) -> Any:
        return _library.AdminClient({"bootstrap.servers": self.bootstrap_servers})

    def _settings(self) -> str:
        lines = super()._settings()
        own = f"PLAINTEXT://{LOOPBACK}:{self.port}"
        also = "".join(f",{name}://{LOOPBACK}:{port}" for name, port in self._ports.items())
        lines = lines.replace(f"listeners={own}", f"listeners={own}{also}")
        lines = lines.replace(
            "protocol.map=PLAINTEXT:", "".join(("protocol.map=", *(f"{n}:{n}," for n in self._ports), "PLAINTEXT:"))
        )
        users = " ".join(f'user_{name}="{PASSWORD}"' for name in self._users)
        module = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        return lines + "\n".join((
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "sasl.enabled.mechanisms=PLAIN",
            *(f"listener.name.{name}.plain.sasl.jaas.config={module}" for name in ("sasl_plaintext", "sasl_ssl")),
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={self.certificates.broker}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.certificates.authority}",
            *(f"listener.name.{name.lower()}.ssl.client.auth={auth}" for name, auth in _LISTENERS.items()),
            "",
        ))  # fmt: skip


def make_certificates(folder: Path) -> Certificates:
    """Certificates of one authority for 127.0.0.1, and a foreign authority that signed nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    key, authority = _signed("authority", None)
    broker_key, broker = _signed("broker", (key, authority))
    client_key, client = _signed("client", (key, authority))
    _, stranger = _signed("stranger", None)
    names = ("authority.pem", "broker.pem", "client.pem", "client.key", "stranger.pem")
    files = Certificates(*(folder / name for name in names))
    files.authority.write_bytes(_pem(authority))
    files.broker.write_bytes(_pem_key(broker_key) + _pem(broker) + _pem(authority))
    files.client.write_bytes(_pem(client))
    files.client_key.write_bytes(_pem_key(client_key))
    files.stranger.write_bytes(_pem(stranger))
    return files


def _signed(name: str, by: Any) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signing_key, issuer = (key, subject) if by is None else (by[0], by[1].subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
    )
    return key, builder.sign(signing_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _acl(kind: Any, rule: Rule) -> Any:
    pattern = _library.ResourcePatternType.PREFIXED if rule.is_prefix else _library.ResourcePatternType.LITERAL
    resource = {"TOPIC": "TOPIC", "GROUP": "GROUP", "CLUSTER": "BROKER"}[rule.kind]
    return kind(
        getattr(_library.ResourceType, resource), rule.name, pattern, f"User:{rule.user}", "*",
        getattr(_library.AclOperation, rule.operation), _library.AclPermissionType.ALLOW,
    )  # fmt: skip


def _wait(futures: Any) -> None:
    for future in futures.values():
        future.result(timeout=ANSWER_S)
