"""Signing keys from a file that may change while the gateway runs: read as a whole or not at all.

A file that cannot be used is logged and changes no key in force. A change is read once two checks in a row found the
same content, so that a file is never read while it is written; SIGHUP reads it at once.
"""

import asyncio
import json
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.errors import KeysError
from gateway.signatures.verification import Key
from schemas.runtime.rules import KEY_ID

CHECK_EVERY_S: Final = 1.0
MAX_FILE_BYTES: Final = 1024 * 1024
_NOT_READ: Final = object()
_FIELDS: Final = frozenset({"id", "secret", "not_before", "not_after"})

log = structlog.get_logger()


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


class KeyRing:
    """The keys in force, renewed from their file.

    load: returns all keys, or raises KeysError. on_load: called after every attempt, with True when its keys are in
    force. faults: why the last attempt failed.
    """

    def __init__(self, keys: Sequence[Key], load: Callable[[], Sequence[Key]], file: str | None) -> None:
        self.keys = tuple(keys)
        self.faults: list[str] = []
        self.on_load: Callable[[bool], None] = lambda is_loaded: None
        self._load = load
        self._file = file

    def is_any_valid(self, now_s: float) -> bool:
        """Whether a key may sign at this moment."""
        return any(key.is_valid(now_s) for key in self.keys)

    def reload(self) -> bool:
        """Read the file's keys now; False when it cannot be used and the keys stay as they are."""
        try:
            self.keys = tuple(self._load())
        except KeysError as error:
            self.faults = error.faults
            log.error("keys.refused", faults=error.faults, in_force=[key.id for key in self.keys])
            self.on_load(False)
            return False
        self.faults = []
        log.info("keys.loaded", in_force=[key.id for key in self.keys])
        self.on_load(True)
        return True

    async def watch(self, every_s: float = CHECK_EVERY_S) -> None:
        """Reload once, then after every change of the file; returns only when there is no file."""
        if self._file is None:
            return
        loaded: object = _NOT_READ
        seen: object = _NOT_READ
        while True:
            content = await asyncio.to_thread(_content, self._file)
            if content == seen and content != loaded:
                self.reload()
                loaded = content
            seen = content
            await asyncio.sleep(every_s)


def _content(file: str) -> bytes | None:
    """The content of the file; None while there is none, as for a moment when a file is replaced."""
    try:
        return Path(file).read_bytes() if Path(file).is_file() else None
    except OSError:
        return None
