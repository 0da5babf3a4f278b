"""The types of the fields in the webhooks' models. Pure."""

from typing import Annotated, Any

from msgspec import Meta

ABSENT: Any = None  # the default of a field that may be missing; JSON null does not fit its type and goes to `extra`
INT64 = range(-(2**63), 2**63)
Integer = Annotated[int, Meta(ge=INT64[0], le=INT64[-1])]
Identifier = Annotated[str, Meta(min_length=1)]
