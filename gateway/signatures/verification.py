"""Verifying that a holder of a key signed a request. Pure: raw bytes, headers and keys in, a verdict out."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from schemas.signatures.keys import Key
from schemas.signatures.schemes import AUTO, SAFE_SCHEMES, SCHEMES, RawHeaders, Reason, Scheme, SignedRequest

_REASONS_BY_WEIGHT: Final[tuple[Reason, ...]] = (
    "stale",
    "mismatch",
    "repeated",
    "missing",
)  # the first one is reported


class Verified(Struct, frozen=True):  # as cheap to make as a tuple
    """The scheme and key that a signature was made with."""

    scheme: str
    key_id: str


class Unverified(Struct, frozen=True):
    """Why no scheme and key verified the request."""

    reason: Reason

    @property
    def detail(self) -> str:
        """The reason as the quarantine keeps it."""
        return f"signature: {self.reason}"


class Verifier:
    """Checks requests against one scheme, or all safe ones, and every active key."""

    def __init__(self, scheme: str, keys: Sequence[Key], signature_header: str) -> None:
        """Raises: KeyError for an unknown scheme, ValueError without keys or with an empty secret: fail closed."""
        self._schemes = SAFE_SCHEMES if scheme == AUTO else (SCHEMES[scheme],)
        self._keys: tuple[Key, ...] = ()
        self.use(keys)
        self._signature_header = signature_header.lower().encode()

    def use(self, keys: Sequence[Key]) -> None:
        """Verify with these keys from now on. Raises ValueError without keys or with an empty secret."""
        if not keys or not all(key.secret for key in keys):
            raise ValueError("verification needs keys, and no empty ones")
        self._keys = tuple(keys)

    def verify(self, body: bytes, headers: RawHeaders, now_s: float) -> Verified | Unverified:
        """The first scheme and valid key that hold, else the weightiest reason why none does."""
        request = SignedRequest(body, headers, self._signature_header, now_s)
        reasons: set[Reason] = set()
        for scheme, key in _pairs(self._schemes, [key for key in self._keys if key.is_valid(now_s)]):
            reason = scheme.check(request, key.secret)
            if reason is None:
                return Verified(scheme.name, key.id)
            reasons.add(reason)
        return Unverified(next((reason for reason in _REASONS_BY_WEIGHT if reason in reasons), "no_valid_key"))


def looked_for(scheme: str, signature_header: str) -> str:
    """The headers that may hold a signature."""
    named = [signature_header] if scheme != "standard-webhooks" else []
    return " or ".join([*named, *(["webhook-signature"] if scheme in ("auto", "standard-webhooks") else [])])


def matching_schemes(
    body: bytes, signature: str, keys: Sequence[Key], headers: Mapping[str, str] | None = None
) -> list[Verified]:
    """Every scheme and key that made this signature, also unsafe schemes and expired keys; for `which-scheme`.

    headers: the others of the delivery that a scheme may cover, such as webhook-id and webhook-timestamp.
    """
    sent = {"webhook-signature": signature, **{name.lower(): value for name, value in (headers or {}).items()}}
    raw = [(os.fsencode(name), os.fsencode(value)) for name, value in {**sent, "signature": signature}.items()]
    timestamp = sent.get("webhook-timestamp", "")
    request = SignedRequest(body, raw, b"signature", int(timestamp) if re.fullmatch("[0-9]{1,12}", timestamp) else 0)
    pairs = _pairs(tuple(SCHEMES.values()), keys)
    return [Verified(scheme.name, key.id) for scheme, key in pairs if scheme.check(request, key.secret) is None]


def _pairs(schemes: Sequence[Scheme], keys: Sequence[Key]) -> Iterable[tuple[Scheme, Key]]:
    return ((scheme, key) for scheme in schemes for key in keys)
