"""The errors of settings, schemas, records and topics, shared by all roles.

SettingsError                fatal: a setting is missing, wrong or unknown; exit code 78 in every role and tool
KeysError                    fatal at a start: the signing keys cannot be used
SchemaError
+-- DecodeError              permanent: the bytes are not a record of the schema
|   +-- UnknownSchemaError   permanent: the registry does not know the schema id
+-- UnreadableTopicError     retriable: Kafka did not answer the reader of a topic, or refused it
|   +-- MissingTopicsError   permanent: a topic is missing, or hidden from us
+-- RegistryError            the registry refused: an incompatible schema, a bad request
    +-- IncompatibleSchemaError    our schema may not follow those that its subject has
    +-- MissingSchemaError         our schema is not registered: `streams topics apply` does it
    +-- RegistryReplacedError      an id is no longer our schema's
    +-- RegistryUnavailableError   retriable: the registry did not answer, or its answer is invalid
"""

from collections.abc import Sequence
from typing import ClassVar


class SettingsError(Exception):
    """Settings that cannot work. `faults`: one a variable, without secrets. The text is what every command prints."""

    code: ClassVar[str] = "settings"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(["These settings are wrong:", *(f"  {fault}" for fault in faults)]))
        self.faults = list(faults)


class KeysError(Exception):
    """Signing keys that cannot be used; `faults` says why, without secrets."""

    code: ClassVar[str] = "bad_keys"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


class SchemaError(Exception):
    """Base of this package's errors. `code` is stable; the tree above says which can pass."""

    code: ClassVar[str] = "schema"


class DecodeError(SchemaError):
    """Bytes that are not in the wire format, or do not fit the schema."""

    code = "undecodable"


class UnknownSchemaError(DecodeError):
    """A schema id that the registry does not know."""

    code = "unknown_schema"


class UnreadableTopicError(SchemaError):
    """A topic could not be read; the message names broker, reason and remedy."""

    code = "topic_unreadable"


class MissingTopicsError(UnreadableTopicError):
    """Topics that are missing or hidden; `faults` has a line for each."""

    code = "topics_missing"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


class RegistryError(SchemaError):
    """The registry refused, for instance an incompatible schema."""

    code = "registry_refused"


class IncompatibleSchemaError(RegistryError):
    """The registry refused a schema because of those that its subject has."""

    code = "schema_incompatible"


class MissingSchemaError(RegistryError):
    """The registry does not have the schemas of some topics."""

    code = "schema_missing"


class RegistryReplacedError(RegistryError):
    """The registry has lost or changed our ids: it came back empty, or was replaced."""

    code = "registry_replaced"


class RegistryUnavailableError(RegistryError):
    """The registry did not answer, or reported an internal error."""

    code = "registry_unavailable"
