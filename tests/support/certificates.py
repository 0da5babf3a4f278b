"""A certificate authority for tests, and what it signs, as PEM files."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "hunter-of-keys"


class Files(NamedTuple):
    """Paths. `encrypted_key` is `key` behind PASSWORD; `other_key` belongs to nobody."""

    authority: str
    certificate: str
    key: str
    encrypted_key: str
    other_key: str


def make_certificates(directory: Path) -> Files:
    """An authority, and a certificate of 127.0.0.1 with its key."""
    authority_key, key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = _certificate("authority", authority_key.public_key(), "authority", authority_key, is_authority=True)
    certificate = _certificate("127.0.0.1", key.public_key(), "authority", authority_key, is_authority=False)
    pem = serialization.Encoding.PEM
    locked = serialization.BestAvailableEncryption(PASSWORD.encode())
    contents = (
        authority.public_bytes(pem),
        certificate.public_bytes(pem),
        _pem(key, serialization.NoEncryption()),
        _pem(key, locked),
        _pem(other, serialization.NoEncryption()),
    )
    paths = [directory / f"{name}.pem" for name in Files._fields]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return Files(*map(str, paths))


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _certificate(
    subject: str, key: ec.EllipticCurvePublicKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(names[1], names[0], key, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if not is_authority:
        address = x509.IPAddress(ipaddress.ip_address(subject))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(signer, hashes.SHA256())
