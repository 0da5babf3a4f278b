"""Signing a body as the gateway expects it. Pure."""

from schemas.signatures.keys import Key
from schemas.signatures.schemes import AUTO, SAFE_SCHEMES, SCHEMES


def sign(body: bytes, scheme: str, key: Key, signature_header: str, now_s: float) -> dict[str, str]:
    """The headers a sender adds; `auto` signs with the first scheme it accepts.

    Raises: ValueError when the scheme cannot sign this body, or not with this key.
    """
    chosen = SAFE_SCHEMES[0] if scheme == AUTO else SCHEMES[scheme]
    return chosen.sign(body, key.secret, signature_header, now_s)
