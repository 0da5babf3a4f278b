"""Signing keys, and the file that may hold them. Both who signs and who verifies read them by these rules."""

import json
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from schemas.errors import KeysError
from schemas.runtime.rules import KEY_ID

MAX_FILE_BYTES: Final = 1024 * 1024
_FIELDS: Final = frozenset({"id", "secret", "not_before", "not_after"})


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key; the id is public and goes into records and metrics. Times in epoch seconds, None: no bound."""

    id: str
    secret: bytes = field(repr=False)
    not_before_s: float | None = None
    not_after_s: float | None = None

    def is_valid(self, now_s: float) -> bool:
        """Whether it may sign at this moment: from not_before on, until just before not_after."""
        return (self.not_before_s is None or self.not_before_s <= now_s) and (
            self.not_after_s is None or now_s < self.not_after_s
        )


def read_keys(path: str) -> tuple[Key, ...]:
    """The keys in a file: `[{"id": ..., "secret": ..., "not_before": ..., "not_after": ...}]` as JSON, or `[[keys]]`
    tables as TOML when it ends in .toml. Times are ISO 8601 with their zone, and may be missing.

    Raises: KeysError naming every fault by its entry.
    """
    entries = _entries(path)
    faults = [f"entry {n}: {fault}" for n, entry in enumerate(entries, 1) for fault in _entry_faults(entry)]
    if faults or not entries:
        raise KeysError(faults or ["holds no key"])
    return tuple(
        Key(entry["id"], entry["secret"].encode(), _epoch_s(entry.get("not_before")), _epoch_s(entry.get("not_after")))
        for entry in entries
    )


def _entries(path: str) -> list[Any]:
    try:
        if Path(path).exists() and not Path(path).is_file():  # a named pipe would never end
            raise KeysError(["is not a file"])
        text = Path(path).read_bytes()[: MAX_FILE_BYTES + 1]
    except OSError as error:
        raise KeysError([f"cannot be read: {error.strerror}"]) from None
    try:
        document = tomllib.loads(text.decode()) if path.endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError):  # the message may quote the file
        raise KeysError([f"is not {'TOML' if path.endswith('.toml') else 'JSON'}"]) from None
    entries = document.get("keys") if isinstance(document, dict) and set(document) == {"keys"} else document
    if not isinstance(entries, list):
        raise KeysError(["is not a list of keys"])
    return entries


def _entry_faults(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["is not an object"]
    key_id, secret = entry.get("id"), entry.get("secret")
    faults = [f"unknown field, not one of {', '.join(sorted(_FIELDS))}"] if set(entry) - _FIELDS else []
    if not (isinstance(key_id, str) and KEY_ID.fullmatch(key_id)):
        faults.append("id: 1 to 64 letters, digits, dots, dashes or underscores")
    if not (isinstance(secret, str) and secret):
        faults.append("secret: missing or empty")
    times = {name: _instant(entry[name]) for name in ("not_before", "not_after") if entry.get(name) is not None}
    faults += [f"{name}: not ISO 8601 with a zone" for name, instant in times.items() if instant is None]
    start, end = times.get("not_before"), times.get("not_after")
    return [*faults, "not_after is not later than not_before"] if start and end and end <= start else faults


def _instant(value: Any) -> datetime | None:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return instant if instant.tzinfo else None


def _epoch_s(value: Any) -> float | None:
    instant = _instant(value)
    return None if instant is None else instant.timestamp()
