"""Ids that follow from what they name, so that a record sent again has the id it had."""

from hashlib import sha256
from typing import Final

SOURCE: Final = "/airudder/streams"  # `ce_source` of every record that the worker writes; with `ce_id` it names one
ID_DIGITS: Final = 32


def id_of(*parts: str) -> str:
    """32 hex digits of the parts; equal parts give equal ids."""
    return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]


def record_id(kind: str, event_id: str, detail_offset: int, call_id: str, revision: int, position: int = 0) -> str:
    """The id of one record: the delivery, the place of the detail in it, the call, its revision and the record's place.

    No topic or offset is in it: a delivery that reaches the topic twice still gives equal ids.
    """
    return id_of(kind, event_id, str(detail_offset), call_id, str(revision), str(position))
