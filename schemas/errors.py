"""What can go wrong between bytes and records, and with the settings that all roles share.

SettingsError                fatal: a setting is missing, wrong or unknown; exit code 78 in every role and tool
SchemaError
+-- DecodeError              permanent: these bytes are not a record of ours
|   +-- UnknownSchemaError   permanent: the registry does not know the schema id
+-- UnreadableTopicError     retriable: Kafka did not answer who reads a topic, or refuses the right to it
|   +-- MissingTopicsError   permanent: a topic is missing, or hidden from us
+-- RegistryError            the registry refused: an incompatible schema, a bad request
    +-- MissingSchemaError         it does not have our schema: `streams topics apply` registers it
    +-- RegistryReplacedError      an id that we write under is not our schema's any more
    +-- RegistryUnavailableError   retriable: the registry did not answer, or nothing that can be understood
"""

from collections.abc import Sequence
from typing import ClassVar


class SettingsError(Exception):
    """Settings that cannot work. `faults`: one a variable, without secrets. The text is what every command prints."""

    code: ClassVar[str] = "settings"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(["These settings are wrong:", *(f"  {fault}" for fault in faults)]))
        self.faults = list(faults)


class SchemaError(Exception):
    """Base of this package's errors. `code` is stable; the tree above says which can pass."""

    code: ClassVar[str] = "schema"


class DecodeError(SchemaError):
    """Bytes that are not in the wire format, or not of the schema they name."""

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
    retriable = False

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


class RegistryError(SchemaError):
    """The registry refused, for instance an incompatible schema."""

    code = "registry_refused"


class MissingSchemaError(RegistryError):
    """The registry does not have the schemas of some topics."""

    code = "schema_missing"


class RegistryReplacedError(RegistryError):
    """The registry is not the one that gave us our ids: it came back empty, or another one took its place."""

    code = "registry_replaced"


class RegistryUnavailableError(RegistryError):
    """The registry did not answer, or answered with trouble of its own."""

    code = "registry_unavailable"
