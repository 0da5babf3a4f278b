"""The gateway's settings, read once from the environment. The only reader of the environment here.

Every fault is reported at once. Unknown names under GATEWAY_ and AIRUDDER_ are faults; KAFKA_ is shared with others.
"""

import os
import re
import ssl
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from gateway.errors import GatewayError
from gateway.keys import KeysError, read_keys
from gateway.verification import KEY_ID, SCHEME_NAMES, Key, standard_webhooks_key

DEFAULT_KEYS = "default:airudder"  # public: AiRudder's own documentation names it
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OWN_PREFIXES = ("GATEWAY_", "AIRUDDER_")
NEEDED_TO_SERVE = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")
WORKER_DIR = "worker-"  # and its number: the spool of one of several workers, below GATEWAY_SPOOL_DIR
SHARED_COUNTS = ("max_connections", "max_in_flight_requests", "max_in_flight_bytes", "spool_max_bytes")
SHARED_RATES = ("rate_global_per_s", "rate_source_per_s")

_KEY = re.compile(rf"({KEY_ID.pattern}):(.+)", re.DOTALL)
_CREDENTIALS = re.compile(r"//.*@")  # user and password within a URL
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class SettingsError(GatewayError):
    """The environment does not make a gateway; `faults` says why, a line each, without secrets."""

    code = "bad_settings"

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _keys(text: Any) -> Any:
    """`id:secret,id:secret` as keys. Raises ValueError naming positions, never secrets."""
    if not isinstance(text, str):
        return text
    matches = [_KEY.fullmatch(part.strip()) for part in text.split(",")]
    wrong = [str(position) for position, match in enumerate(matches, 1) if match is None]
    if wrong:
        raise ValueError(f"entry {', '.join(wrong)} is not id:secret")
    keys = tuple(Key(match[1], match[2].encode()) for match in matches if match)
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("two keys have the same id")
    return keys


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("not the name of an HTTP header")
    return text


def _scheme(text: str) -> str:
    if text not in SCHEME_NAMES:
        raise ValueError(f"must be one of {', '.join(SCHEME_NAMES)}")
    return text


def _timezone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("not the IANA name of a time zone, such as Asia/Jakarta")
    return text


def _readable_file(path: str) -> str:
    if not os.access(path, os.R_OK):
        raise ValueError("no such readable file")
    return path


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]  # 0: no limit
Path = Annotated[str, AfterValidator(_readable_file)]


def _env(name: str, default: Any = None) -> Any:
    return Field(default=default, validation_alias=name)


class GatewaySettings(BaseModel):
    """One gateway process. Fields are named after the environment's names; times in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    kafka_bootstrap_servers: str | None = _env("KAFKA_BOOTSTRAP_SERVERS")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = _env(
        "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = _env("KAFKA_SASL_MECHANISM", "PLAIN")
    kafka_sasl_username: str | None = _env("KAFKA_SASL_USERNAME")
    kafka_sasl_password: SecretStr | None = _env("KAFKA_SASL_PASSWORD")
    kafka_ssl_cafile: Path | None = _env("KAFKA_SSL_CAFILE")
    kafka_ssl_certfile: Path | None = _env("KAFKA_SSL_CERTFILE")
    kafka_ssl_keyfile: Path | None = _env("KAFKA_SSL_KEYFILE")
    schema_registry_url: Annotated[str, Field(pattern=r"^https?://")] | None = _env("SCHEMA_REGISTRY_URL")

    signing_keys: Annotated[tuple[Key, ...], BeforeValidator(_keys)] = _env(
        "AIRUDDER_SIGNING_KEYS", _keys(DEFAULT_KEYS)
    )
    signing_keys_file: str | None = _env("AIRUDDER_SIGNING_KEYS_FILE")
    allow_default_key: bool = _env("AIRUDDER_ALLOW_DEFAULT_KEY", False)
    signature_header: Annotated[str, AfterValidator(_header_name)] = _env(
        "AIRUDDER_SIGNATURE_HEADER", "X-AIRudder-Sign"
    )
    signature_scheme: Annotated[str, AfterValidator(_scheme)] = _env("AIRUDDER_SIGNATURE_SCHEME", "auto")
    signature_mode: Literal["enforce", "report", "off"] = _env("AIRUDDER_SIGNATURE_MODE", "enforce")
    account_timezone: Annotated[str, AfterValidator(_timezone)] = _env("AIRUDDER_ACCOUNT_TIMEZONE", "UTC")

    host: str = _env("GATEWAY_HOST", "127.0.0.1")
    port: Port = _env("GATEWAY_PORT", 8000)
    ops_port: Port = _env("GATEWAY_OPS_PORT", 8001)
    workers: Annotated[int, Field(ge=1, le=64)] = _env("GATEWAY_WORKERS", 1)
    max_body_bytes: Annotated[int, Field(ge=1, le=2 * 1024 * 1024)] = _env("GATEWAY_MAX_BODY_BYTES", 1024 * 1024)
    body_timeout_s: Seconds = _env("GATEWAY_BODY_TIMEOUT_S", 10.0)
    publish_timeout_s: Seconds = _env("GATEWAY_PUBLISH_TIMEOUT_S", 3.0)
    max_connections: Annotated[int, Field(ge=1)] = _env("GATEWAY_MAX_CONNECTIONS", 10_000)
    max_in_flight_requests: Annotated[int, Field(ge=1)] = _env("GATEWAY_MAX_IN_FLIGHT_REQUESTS", 500)
    max_in_flight_bytes: Annotated[int, Field(ge=1)] = _env("GATEWAY_MAX_IN_FLIGHT_BYTES", 128 * 1024 * 1024)
    rate_global_per_s: Rate = _env("GATEWAY_RATE_GLOBAL_PER_S", 0.0)
    rate_source_per_s: Rate = _env("GATEWAY_RATE_SOURCE_PER_S", 0.0)
    headers_timeout_s: Seconds = _env("GATEWAY_HEADERS_TIMEOUT_S", 10.0)
    quarantine_bytes_per_day: Annotated[int, Field(ge=0)] = _env("GATEWAY_QUARANTINE_BYTES_PER_DAY", 1024**3)
    spool_dir: str | None = _env("GATEWAY_SPOOL_DIR")
    spool_max_bytes: Annotated[int, Field(ge=1024 * 1024)] = _env("GATEWAY_SPOOL_MAX_BYTES", 1024**3)
    drain_delay_s: Annotated[float, Field(ge=0, le=600)] = _env("GATEWAY_DRAIN_DELAY_S", 1.0)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, needs_kafka: bool = False) -> Self:
        """Settings from an environment; empty values count as unset, but for AIRUDDER_SIGNING_KEYS.

        With AIRUDDER_SIGNING_KEYS_FILE and without AIRUDDER_SIGNING_KEYS the file's keys are the only ones.
        needs_kafka: NEEDED_TO_SERVE are required.
        Raises: SettingsError naming every fault.
        """
        given = {name: value for name, value in environ.items() if value or name == "AIRUDDER_SIGNING_KEYS"}
        faults = [f"{name}: required" for name in NEEDED_TO_SERVE if needs_kafka and name not in given]
        relevant: dict[str, Any] = {
            name: value for name, value in given.items() if name in ENVIRONMENT_NAMES or name.startswith(OWN_PREFIXES)
        }
        if "AIRUDDER_SIGNING_KEYS_FILE" in relevant:
            relevant.setdefault("AIRUDDER_SIGNING_KEYS", ())
        try:
            settings = cls.model_validate(relevant)
        except ValidationError as error:
            faults += [f"{fault['loc'][0]}: {_wording(fault)}" for fault in error.errors()]
            settings = cls.model_validate(_without_faulty(relevant, error))
        faults += settings.contradictions()
        if faults:
            raise SettingsError(sorted(set(faults)))
        return settings

    def load_keys(self) -> tuple[Key, ...]:
        """Every signing key, the file's as it is now, before and after their time too.

        Raises: KeysError when the file or the keys together cannot be used.
        """
        try:
            keys = (*self.signing_keys, *(read_keys(self.signing_keys_file) if self.signing_keys_file else ()))
        except KeysError as error:
            raise KeysError([f"AIRUDDER_SIGNING_KEYS_FILE: {fault}" for fault in error.faults]) from None
        faults = self._key_faults(keys)
        if faults:
            raise KeysError(faults)
        return keys

    def _key_faults(self, keys: tuple[Key, ...]) -> list[str]:
        rules = {
            "AIRUDDER_SIGNING_KEYS: the default key is public, so it authenticates nobody; set your own, or "
            "AIRUDDER_ALLOW_DEFAULT_KEY=1 to listen on a non-loopback GATEWAY_HOST with it": (
                self.host not in LOOPBACK and _has_default_key(keys) and not self.allow_default_key
            ),
            "AIRUDDER_SIGNING_KEYS: standard-webhooks needs secrets of the form whsec_<base64>": (
                self.signature_scheme == "standard-webhooks"
                and not all(standard_webhooks_key(key.secret) for key in keys)
            ),
            "AIRUDDER_SIGNING_KEYS, AIRUDDER_SIGNING_KEYS_FILE: two keys have the same id": (
                len({key.id for key in keys}) < len(keys)
            ),
        }
        return [fault for fault, holds in rules.items() if holds]

    def contradictions(self) -> list[str]:
        """What is wrong between settings that are right one by one."""
        try:
            self.load_keys()
            key_faults = []
        except KeysError as error:
            key_faults = error.faults
        rules = {
            "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: both are required by KAFKA_SECURITY_PROTOCOL": (
                "SASL" in self.kafka_security_protocol and not (self.kafka_sasl_username and self.kafka_sasl_password)
            ),
            "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: set both or neither": (
                "SASL" not in self.kafka_security_protocol
                and (self.kafka_sasl_username is None) != (self.kafka_sasl_password is None)
            ),
            "KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: set both or neither": (
                (self.kafka_ssl_certfile is None) != (self.kafka_ssl_keyfile is None)
            ),
            "GATEWAY_WORKERS, GATEWAY_MAX_IN_FLIGHT_BYTES: a share must hold a body of GATEWAY_MAX_BODY_BYTES": (
                self.workers > 1 and self.max_in_flight_bytes // self.workers < self.max_body_bytes
            ),
            "GATEWAY_PORT, GATEWAY_OPS_PORT: must differ": self.port == self.ops_port != 0,
        }
        return [*key_faults, *(fault for fault, holds in rules.items() if holds)]

    def share_of(self, number: int) -> Self:
        """The settings of worker `number`: a share of each limit, so that all workers together keep to them."""
        spool = None if self.spool_dir is None else f"{self.spool_dir}/{WORKER_DIR}{number}"
        shared = {name: max(1, getattr(self, name) // self.workers) for name in SHARED_COUNTS}
        rates = {name: getattr(self, name) / self.workers for name in SHARED_RATES}
        quarantine = self.quarantine_bytes_per_day // self.workers  # none may be wanted
        update = {"quarantine_bytes_per_day": quarantine, "spool_dir": spool, **shared, **rates}
        return self.model_copy(update=update)

    @property
    def has_default_key(self) -> bool:
        """True when the public key of AiRudder's documentation is among them. Raises KeysError like `load_keys`."""
        return _has_default_key(self.load_keys())

    @property
    def timezone(self) -> ZoneInfo:
        """The account's time zone, in which AiRudder writes its times."""
        return ZoneInfo(self.account_timezone)

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS side of the Kafka connection; None when KAFKA_SECURITY_PROTOCOL has none."""
        if "SSL" not in self.kafka_security_protocol:
            return None
        context = ssl.create_default_context(cafile=self.kafka_ssl_cafile)
        if self.kafka_ssl_certfile:
            context.load_cert_chain(self.kafka_ssl_certfile, self.kafka_ssl_keyfile)
        return context

    def shown(self) -> dict[str, str]:
        """Every setting by its environment name, secrets only as set or unset, ready to print or log."""
        values = {ENVIRONMENT_NAMES_BY_FIELD[name]: str(getattr(self, name)) for name in type(self).model_fields}
        values["KAFKA_SASL_PASSWORD"] = "set" if self.kafka_sasl_password else "unset"
        values["SCHEMA_REGISTRY_URL"] = _CREDENTIALS.sub("//(set)@", values["SCHEMA_REGISTRY_URL"])
        values["AIRUDDER_SIGNING_KEYS"] = ", ".join(f"{key.id} (secret set)" for key in self.signing_keys)
        return {name: "unset" if value == "None" else value for name, value in values.items()}


ENVIRONMENT_NAMES_BY_FIELD = {name: str(field.validation_alias) for name, field in GatewaySettings.model_fields.items()}
ENVIRONMENT_NAMES = frozenset(ENVIRONMENT_NAMES_BY_FIELD.values())


def _has_default_key(keys: tuple[Key, ...]) -> bool:
    return any(key.secret == _keys(DEFAULT_KEYS)[0].secret for key in keys)


def _wording(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "unknown setting"
    return str(fault["msg"]).removeprefix("Value error, ")


def _without_faulty(values: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """What is right one by one, so that contradictions are found in the same run."""
    faulty = {str(fault["loc"][0]) for fault in error.errors()}
    return {name: value for name, value in values.items() if name not in faulty}
