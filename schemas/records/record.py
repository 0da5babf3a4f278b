"""The base of every record on the wire.

A record is a frozen type with the fields of its schema in `schemas/avro`, which explains them. Instants are
UTC epoch milliseconds (`..._at`), durations seconds (`..._s`). Readers do not change its lists and maps.
"""

from typing import Any, Self

from msgspec import Struct, convert, to_builtins


class Record(Struct, frozen=True, gc=False):
    """Converts to and from the plain values that fastavro writes and reads.

    gc=False: a record never refers to itself, so Python need not search it for cycles.
    """

    def to_datum(self) -> dict[str, Any]:
        """This record as nested dicts and lists, as the Avro writer takes it."""
        datum: dict[str, Any] = to_builtins(self, builtin_types=(bytes,))
        return datum

    @classmethod
    def from_datum(cls, datum: dict[str, Any]) -> Self:
        """The record that a reader's datum stands for; unknown fields are ignored, so newer writers can be read.

        Raises: msgspec.ValidationError when a field is missing or of another type.
        """
        return convert(datum, cls)
