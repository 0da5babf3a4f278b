"""What every record on the wire has in common.

A record is a frozen type, field for field its schema in `schemas/avro`, where every field is explained. Instants are
UTC epoch milliseconds (`..._at`), durations seconds (`..._s`). Lists and maps are not to be changed by who reads them.
"""

from typing import Any, Self

from msgspec import Struct, convert, to_builtins


class Record(Struct, frozen=True, gc=False):
    """What all records share: turning into and from the plain values that fastavro writes and reads.

    gc=False: a record never refers back to itself, so Python need not look for cycles in it.
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
