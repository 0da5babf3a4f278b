"""The types of the fields in the webhooks' models. Pure."""

from typing import Annotated, Any, Final

from msgspec import Meta

ABSENT: Final[Any] = None  # the default of an optional field; JSON null does not fit its type and goes to `extra`
INT64: Final = range(-(2**63), 2**63)
Integer = Annotated[int, Meta(ge=INT64[0], le=INT64[-1])]
Identifier = Annotated[str, Meta(min_length=1)]
AnyObject = dict[str, Any]  # an object of no published shape: the record has its JSON text
