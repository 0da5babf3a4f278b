"""Ids that follow from what they name, so that a record sent again has the id it had."""

from hashlib import sha256
from typing import Final

SOURCE: Final = "/airudder/streams"  # `ce_source` of every record that the worker writes; with `ce_id` it names one
ID_DIGITS: Final = 32


def id_of(*parts: str) -> str:
    """32 hex digits of the parts; equal parts give equal ids."""
    return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]
