"""The gateway's settings: `schemas.runtime.settings`' fields, its signing keys, and a worker's share of the limits."""

from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field

from schemas.errors import KeysError
from schemas.runtime.rules import is_loopback, key_pairs, setting
from schemas.runtime.settings import (
    DEFAULT_KEYS,
    AccountVariables,
    GatewayVariables,
    LogVariables,
    Settings,
    SignatureVariables,
    shown_keys,
)
from schemas.runtime.tracing import TracingVariables
from schemas.signatures.keys import Key, read_keys
from schemas.signatures.schemes import standard_webhooks_key

NEEDED_TO_SERVE: Final = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")
WORKER_DIR: Final = "worker-"  # and its number: the spool of one of several workers, below GATEWAY_SPOOL_DIR
SHARED_COUNTS: Final = ("max_connections", "max_in_flight_requests", "max_in_flight_bytes", "spool_max_bytes")
SHARED_RATES: Final = ("rate_global_per_s", "rate_source_per_s")


def _keys(text: Any) -> Any:
    """`id:secret,id:secret` as keys. Raises ValueError naming positions, never secrets."""
    return tuple(Key(key_id, secret.encode()) for key_id, secret in key_pairs(text)) if isinstance(text, str) else text


class GatewaySettings(GatewayVariables, SignatureVariables, AccountVariables, LogVariables, Settings):
    """One gateway process. Times in seconds, sizes in bytes."""

    tracing: TracingVariables = Field(default_factory=TracingVariables)
    signing_keys: Annotated[tuple[Key, ...], BeforeValidator(_keys)] = setting(
        "AIRUDDER_SIGNING_KEYS", _keys(DEFAULT_KEYS)
    )

    def load_keys(self) -> tuple[Key, ...]:
        """Every signing key, those of the file as it is now, also those that are not valid now.

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
        faults = []
        if not is_loopback(self.host) and _has_default_key(keys) and not self.allow_default_key:
            faults.append(
                "AIRUDDER_SIGNING_KEYS: the default key is public, so it authenticates nobody; set your own, or "
                "AIRUDDER_ALLOW_DEFAULT_KEY=1 to listen on a non-loopback GATEWAY_HOST with it"
            )
        if self.signature_scheme == "standard-webhooks" and not all(standard_webhooks_key(key.secret) for key in keys):
            faults.append("AIRUDDER_SIGNING_KEYS: standard-webhooks needs secrets of the form whsec_<base64>")
        if len({key.id for key in keys}) < len(keys):
            faults.append("AIRUDDER_SIGNING_KEYS, AIRUDDER_SIGNING_KEYS_FILE: two keys have the same id")
        return faults

    def contradictions(self) -> list[str]:
        """Faults between settings that are each valid."""
        faults = []
        try:
            self.load_keys()
        except KeysError as error:
            faults += error.faults
        if self.max_in_flight_bytes // self.workers < self.max_body_bytes:
            faults.append(
                "GATEWAY_WORKERS, GATEWAY_MAX_IN_FLIGHT_BYTES: a share must hold a body of GATEWAY_MAX_BODY_BYTES"
            )
        if self.port == self.ops_port != 0:
            faults.append("GATEWAY_PORT, GATEWAY_OPS_PORT: must differ")
        return faults

    def missing_to_serve(self) -> list[str]:
        """Those of NEEDED_TO_SERVE that the environment does not name."""
        is_named = dict(zip(NEEDED_TO_SERVE, (self.has_kafka, self.has_registry), strict=True))
        return [name for name, is_there in is_named.items() if not is_there]

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

    def shown(self) -> dict[str, str]:
        """Every setting by its environment name, secrets only as set or unset, ready to print or log."""
        return {**Settings.shown(self), "AIRUDDER_SIGNING_KEYS": shown_keys(key.id for key in self.signing_keys)}


ENVIRONMENT_NAMES: Final = frozenset(name for name, _ in GatewaySettings.variables())


def _has_default_key(keys: tuple[Key, ...]) -> bool:
    return any(key.secret == _keys(DEFAULT_KEYS)[0].secret for key in keys)
