"""The ways of signing a request, and the tables of them. Pure.

AiRudder does not publish its algorithm, so schemes are pluggable. Signatures cover the raw bytes; comparisons take
constant time; malformed text is a mismatch, never an exception. `sorted-*` sign top-level scalars only: the holder of
one valid delivery can replace `details` under the same signature.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

RawHeaders = Sequence[tuple[bytes, bytes]]  # names in lower case, as ASGI gives them
Reason = Literal["missing", "repeated", "mismatch", "stale", "no_valid_key"]
Digest = Callable[[bytes, bytes], bytes | None]  # (body, secret) -> digest, None when the body has none

AUTO: Final = "auto"
MAX_AGE_S: Final = 300  # Standard Webhooks' tolerance
MAX_FUTURE_S: Final = 60
STANDARD_SECRET_PREFIX: Final = "whsec_"

_DIGEST_BYTES: Final = {"sha256": 32, "sha1": 20, "md5": 16}
_PREFIXES: Final = {algorithm: f"{algorithm}=".encode() for algorithm in _DIGEST_BYTES}


class SignedRequest(Struct, frozen=True):
    """What a scheme sees: `signature_header` in lower case, `now_s` the receiver's clock in epoch seconds."""

    body: bytes
    headers: RawHeaders
    signature_header: bytes
    now_s: float

    def header(self, name: bytes) -> bytes | Reason:
        """The value of a header that is there once, else why it cannot be used."""
        values = [value for key, value in self.headers if key == name]
        if len(values) == 1:
            return values[0]
        return "repeated" if values else "missing"


class Scheme(Protocol):
    """One way of signing."""

    @property
    def name(self) -> str: ...

    def check(self, request: SignedRequest, secret: bytes) -> Reason | None:
        """None when the signature holds."""

    def sign(self, body: bytes, secret: bytes, header: str, now_s: float) -> dict[str, str]:
        """The headers a sender would add."""


@dataclass(frozen=True, slots=True)
class DigestScheme:
    """A digest of body and secret in one header: hex of either case, or base64 where the scheme allows it.

    `sha256=` and the like may go before it, in either case; base64 may lack its padding.
    """

    name: str
    algorithm: str
    digest: Digest
    allows_base64: bool = True
    is_upper_case: bool = False

    def check(self, request: SignedRequest, secret: bytes) -> Reason | None:
        value = request.header(request.signature_header)
        if isinstance(value, str):
            return value
        presented = self._decode(value)
        if presented is None:
            return "mismatch"
        expected = self.digest(request.body, secret)
        return None if expected is not None and hmac.compare_digest(presented, expected) else "mismatch"

    def sign(self, body: bytes, secret: bytes, header: str, now_s: float) -> dict[str, str]:
        digest = self.digest(body, secret)
        if digest is None:
            raise ValueError(f"{self.name} cannot sign this body: it is not a JSON object")
        text = digest.hex()
        return {header: text.upper() if self.is_upper_case else text}

    def _decode(self, value: bytes) -> bytes | None:
        """The digest bytes in a header's value, recognised by length; None for anything else."""
        size = _DIGEST_BYTES[self.algorithm]
        if len(value) != 2 * size:
            value = _without_prefix(value, _PREFIXES[self.algorithm])
        try:
            if len(value) == 2 * size:
                return binascii.unhexlify(value)
            if self.allows_base64 and len(value) == -(-4 * size // 3):
                value += b"=" * (-len(value) % 4)
            if self.allows_base64 and len(value) == 4 * -(-size // 3):
                return base64.b64decode(value, validate=True)
        except ValueError:  # binascii.Error and non-ASCII text alike
            return None
        return None


def _without_prefix(value: bytes, prefix: bytes) -> bytes:
    return value[len(prefix) :] if value[: len(prefix)].lower() == prefix else value


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """Standard Webhooks v1: HMAC-SHA256 over `id.timestamp.body`, several signatures in one header."""

    name: str = "standard-webhooks"

    def check(self, request: SignedRequest, secret: bytes) -> Reason | None:
        found = [request.header(name) for name in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")]
        reasons = [value for value in found if isinstance(value, str)]
        if reasons:
            return reasons[0]
        message_id, timestamp, signatures = (value for value in found if isinstance(value, bytes))
        if not self._matches(message_id + b"." + timestamp + b"." + request.body, signatures, secret):
            return "mismatch"
        return None if self._is_recent(timestamp, request.now_s) else "stale"

    def sign(self, body: bytes, secret: bytes, header: str, now_s: float) -> dict[str, str]:
        key = standard_webhooks_key(secret)
        if key is None:
            raise ValueError(f"{self.name} needs a secret of the form {STANDARD_SECRET_PREFIX}<base64>")
        message_id, timestamp = f"msg_{hashlib.sha256(body).hexdigest()[:27]}", str(int(now_s))
        digest = _hmac("sha256", key, f"{message_id}.{timestamp}.".encode() + body)
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}

    def _matches(self, signed: bytes, signatures: bytes, secret: bytes) -> bool:
        key = standard_webhooks_key(secret)
        if key is None:
            return False
        expected = b"v1," + base64.b64encode(_hmac("sha256", key, signed))
        return any(hmac.compare_digest(expected, candidate) for candidate in signatures.split(b" "))

    def _is_recent(self, timestamp: bytes, now_s: float) -> bool:
        return re.fullmatch(rb"[0-9]{1,12}", timestamp) is not None and (
            -MAX_FUTURE_S <= now_s - int(timestamp) <= MAX_AGE_S
        )


def standard_webhooks_key(secret: bytes) -> bytes | None:
    """The key bytes of a `whsec_` secret; None when it is not one."""
    prefix = STANDARD_SECRET_PREFIX.encode()
    if not secret.startswith(prefix):
        return None
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True) or None
    except ValueError:
        return None


def sorted_text(body: bytes, secret: bytes) -> bytes | None:
    """`a=1&b=2&key=SECRET`: top-level scalars of a JSON object as sent, names in ASCII order, empty values and
    the field `sign` dropped. None when the body is not a JSON object."""
    try:
        fields = json.loads(body.decode("utf-8-sig"), parse_int=str, parse_float=str, parse_constant=str)
        if not isinstance(fields, dict):
            return None
        pairs = [f"{name}={_scalar(fields[name])}" for name in sorted(fields) if _is_signed(name, fields[name])]
        return "&".join([*pairs, "key="]).encode() + secret
    except (ValueError, RecursionError):
        return None


def _is_signed(name: str, value: Any) -> bool:
    return name != "sign" and value not in (None, "") and not isinstance(value, (dict, list))


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hmac(algorithm: str, secret: bytes, text: bytes) -> bytes:
    return hmac.digest(secret, text, algorithm)


def _hash(algorithm: str, text: bytes) -> bytes:
    return hashlib.new(algorithm, text, usedforsecurity=False).digest()


def _hmac_of_body(algorithm: str) -> Digest:
    return lambda body, secret: _hmac(algorithm, secret, body)


def _hash_of_body_and_key(algorithm: str) -> Digest:
    return lambda body, secret: _hash(algorithm, body + secret)


def _sorted_md5(body: bytes, secret: bytes) -> bytes | None:
    text = sorted_text(body, secret)
    return None if text is None else _hash("md5", text)


def _sorted_hmac_sha256(body: bytes, secret: bytes) -> bytes | None:
    text = sorted_text(body, secret)
    return None if text is None else _hmac("sha256", secret, text)


# They cover the whole body; `auto` tries them in this order.
SAFE_SCHEMES: Final[tuple[Scheme, ...]] = (
    DigestScheme("hmac-sha256", "sha256", _hmac_of_body("sha256")),
    DigestScheme("hmac-sha1", "sha1", _hmac_of_body("sha1")),
    DigestScheme("hmac-md5", "md5", _hmac_of_body("md5")),
    DigestScheme("body-key-md5", "md5", _hash_of_body_and_key("md5")),
    DigestScheme("body-key-sha256", "sha256", _hash_of_body_and_key("sha256")),
    StandardWebhooks(),
)
SORTED_SCHEMES: Final[tuple[Scheme, ...]] = (
    DigestScheme("sorted-md5", "md5", _sorted_md5, allows_base64=False, is_upper_case=True),
    DigestScheme("sorted-hmac-sha256", "sha256", _sorted_hmac_sha256, allows_base64=False, is_upper_case=True),
)
SCHEMES: Final[Mapping[str, Scheme]] = {scheme.name: scheme for scheme in (*SAFE_SCHEMES, *SORTED_SCHEMES)}
SCHEME_NAMES: Final = (AUTO, *SCHEMES)
