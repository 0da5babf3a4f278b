"""The connections to Kafka and the schema registry: their variables, the rules, and the arguments of the clients."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsConfigDict
from typing_extensions import TypeIs

from schemas.runtime.rules import (
    CompressionType,
    ReadableFile,
    SaslMechanism,
    Secret,
    SecurityProtocol,
    Servers,
    Text,
    TopicPrefix,
    Urls,
    setting,
)
from schemas.topic_names import TopicNames

DEFAULT_BOOTSTRAP_SERVERS: Final = "127.0.0.1:9092"
DEFAULT_REGISTRY_URL: Final = "http://127.0.0.1:8081/apis/ccompat/v7"


class Variables(BaseModel):
    """A group of variables. Fields are named after them; units are in the names."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )

    def contradictions(self) -> list[str]:
        """Faults between values that are each valid: a line each, without secrets."""
        return []

    @classmethod
    def variables(cls) -> Iterator[tuple[str, FieldInfo]]:
        """The name and field of each variable, including those of nested groups."""
        for field in cls.model_fields.values():
            if is_group(field.annotation):
                yield from field.annotation.variables()
            elif field.validation_alias:
                yield str(field.validation_alias), field

    def shown(self) -> dict[str, str]:
        """Every value by its variable, secrets only as set or unset, ready to print or log."""
        values: dict[str, str] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if is_group(field.annotation):
                values |= value.shown()
            elif field.validation_alias:
                values[str(field.validation_alias)] = _shown(value)
        return values


def is_group(annotation: Any) -> TypeIs[type[Variables]]:
    """True for a field that holds a group of variables."""
    return isinstance(annotation, type) and issubclass(annotation, Variables)


def may_be_in_file(field: FieldInfo) -> bool:
    """True for a field that NAME_FILE may give."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("may_be_in_file"))


def _shown(value: Any) -> str:
    return "unset" if value in (None, "") else "set" if isinstance(value, SecretStr) else str(value)


class KafkaConnection(Variables):
    """The address of Kafka, the user, the protocol, and what our topics begin with."""

    bootstrap_servers: Servers = setting("KAFKA_BOOTSTRAP_SERVERS", DEFAULT_BOOTSTRAP_SERVERS)
    security_protocol: SecurityProtocol = setting("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    sasl_mechanism: SaslMechanism = setting("KAFKA_SASL_MECHANISM", "PLAIN")
    sasl_username: Text | None = setting("KAFKA_SASL_USERNAME", may_be_in_file=True)
    sasl_password: Secret | None = setting("KAFKA_SASL_PASSWORD", may_be_in_file=True)
    ssl_cafile: ReadableFile | None = setting("KAFKA_SSL_CAFILE")
    ssl_certfile: ReadableFile | None = setting("KAFKA_SSL_CERTFILE")
    ssl_keyfile: ReadableFile | None = setting("KAFKA_SSL_KEYFILE")
    ssl_password: Secret | None = setting("KAFKA_SSL_PASSWORD", may_be_in_file=True)
    compression_type: CompressionType = setting("KAFKA_COMPRESSION_TYPE", "zstd")
    topic_prefix: TopicPrefix = setting("AIRUDDER_TOPIC_PREFIX", "")

    @property
    def names(self) -> TopicNames:
        """The names of our topics and groups there."""
        return TopicNames(self.topic_prefix)

    @property
    def uses_sasl(self) -> bool:
        """Whether the protocol needs a user and a password."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the protocol is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def producer_compression(self) -> str | None:
        """The codec as aiokafka names it; None for no compression."""
        return None if self.compression_type == "none" else self.compression_type

    def client_arguments(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes. Raises: OSError when the files of TLS cannot be used."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
        }
        if self.uses_sasl:
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": _text_of(self.sasl_password),
            }
        if self.uses_tls:
            arguments["ssl_context"] = self.ssl_context()
        return arguments

    def ssl_context(self) -> ssl.SSLContext:
        """A TLS context with the given files; without a file of authorities, the system's. Raises: OSError."""
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile:
            self._load_certificate(context)
        return context

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        # Never None: OpenSSL would prompt for the pass phrase on the terminal and wait.
        context.load_cert_chain(self.ssl_certfile or "", self.ssl_keyfile, _text_of(self.ssl_password) or "")

    def contradictions(self) -> list[str]:
        return [*self._sasl_faults(), *(self._tls_faults() or self._file_faults())]

    def _sasl_faults(self) -> list[str]:
        has_name, has_password = self.sasl_username is not None, self.sasl_password is not None
        pair = "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"
        if self.uses_sasl and not (has_name and has_password):
            return [f"{pair}: both are required by KAFKA_SECURITY_PROTOCOL={self.security_protocol}"]
        if has_name != has_password:
            return [f"{pair}: set both or neither"]
        if not self.uses_sasl and (given := self._given("KAFKA_SASL_")):
            return [f"{given}: would not be used; set KAFKA_SECURITY_PROTOCOL to SASL_SSL or SASL_PLAINTEXT"]
        return []

    def _tls_faults(self) -> list[str]:
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            return ["KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: set both or neither"]
        if not self.uses_tls and (given := self._given("KAFKA_SSL_")):
            return [f"{given}: would not be used; set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL"]
        if self.ssl_password is not None and self.ssl_keyfile is None:
            return ["KAFKA_SSL_PASSWORD: opens KAFKA_SSL_KEYFILE, which is not set"]
        return []

    def _file_faults(self) -> list[str]:
        """Faults of the TLS files, by the variables that name them."""
        faults = []
        if self.ssl_cafile and (fault := authorities_fault(self.ssl_cafile)):
            faults.append(f"KAFKA_SSL_CAFILE: {fault}")
        if self.ssl_certfile:
            try:
                self._load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            except ssl.SSLError as error:
                has_password = self.ssl_password is not None
                faults.append(_certificate_fault(error, self.ssl_keyfile or "", has_password=has_password))
            except OSError as error:
                faults.append(f"KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: {error.strerror}")
        return faults

    def _given(self, prefix: str) -> str:
        """The variables under the prefix that differ from their defaults."""
        names = {name: field.default for name, field in type(self).model_fields.items()}
        given = [name for name, default in names.items() if getattr(self, name) != default]
        return ", ".join(variable for name in given if (variable := f"KAFKA_{name.upper()}").startswith(prefix))


class RegistryConnection(Variables):
    """The address of the schema registry, the user, and what our subjects begin with."""

    # may hold user:password
    url: Urls = setting("SCHEMA_REGISTRY_URL", DEFAULT_REGISTRY_URL, repr=False, may_be_in_file=True)
    username: Text | None = setting("SCHEMA_REGISTRY_USERNAME", may_be_in_file=True)
    password: Secret | None = setting("SCHEMA_REGISTRY_PASSWORD", may_be_in_file=True)
    cafile: ReadableFile | None = setting("SCHEMA_REGISTRY_CAFILE")
    topic_prefix: TopicPrefix = setting("AIRUDDER_TOPIC_PREFIX", "")

    @property
    def names(self) -> TopicNames:
        """The names of our subjects there."""
        return TopicNames(self.topic_prefix)

    def client_arguments(self) -> dict[str, Any]:
        """The arguments of confluent-kafka's registry client."""
        arguments = {"url": self.url}
        if self.username is not None:
            arguments["basic.auth.user.info"] = f"{self.username}:{_text_of(self.password)}"
        if self.cafile is not None:
            arguments["ssl.ca.location"] = self.cafile
        return arguments

    def contradictions(self) -> list[str]:
        urls = [urlsplit(url) for url in self.url.split(",")]
        rules = {
            "SCHEMA_REGISTRY_USERNAME, SCHEMA_REGISTRY_PASSWORD: set both or neither": (
                (self.username is None) != (self.password is None)
            ),
            "SCHEMA_REGISTRY_USERNAME: SCHEMA_REGISTRY_URL names a user too; set one of them": (
                self.username is not None and any(url.username is not None for url in urls)
            ),
            "SCHEMA_REGISTRY_USERNAME: holds a colon, which the password begins with": ":" in (self.username or ""),
            "SCHEMA_REGISTRY_CAFILE: would not be used; SCHEMA_REGISTRY_URL does not begin with https://": (
                self.cafile is not None and any(url.scheme != "https" for url in urls)
            ),
        }
        faults = [fault for fault, holds in rules.items() if holds]
        if self.cafile and not faults and (fault := authorities_fault(self.cafile)):
            faults.append(f"SCHEMA_REGISTRY_CAFILE: {fault}")
        return faults

    def shown(self) -> dict[str, str]:
        return {**super().shown(), "SCHEMA_REGISTRY_URL": without_credentials(self.url)}


def without_credentials(urls: str) -> str:
    """The URLs without the user and the password that they may hold."""
    shown = []
    for url in urls.split(","):
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        _, at, host = authority.rpartition("@")
        shown.append(f"{scheme}://{'(set)@' if at else ''}{host}{slash}{path}")
    return ",".join(shown)


def authorities_fault(cafile: str) -> str:
    """Why TLS cannot use this file of authorities; empty when it can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile)
    except ssl.SSLError:
        return "holds no certificate in PEM form"
    except OSError as error:
        return str(error.strerror)
    return ""


def _certificate_fault(error: ssl.SSLError, keyfile: str, *, has_password: bool) -> str:
    if "MISMATCH" in (error.reason or ""):
        return "KAFKA_SSL_KEYFILE: is not the key of KAFKA_SSL_CERTFILE"
    if b"ENCRYPTED" not in Path(keyfile).read_bytes():
        return "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: not a certificate and its key in PEM form"
    if has_password:
        return "KAFKA_SSL_PASSWORD: does not open KAFKA_SSL_KEYFILE, or KAFKA_SSL_CERTFILE is not in PEM form"
    return "KAFKA_SSL_PASSWORD: required, as KAFKA_SSL_KEYFILE is encrypted"


def _text_of(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
