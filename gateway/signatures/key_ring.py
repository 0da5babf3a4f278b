"""The keys in force, renewed from a file that may change while the gateway runs: read as a whole or not at all.

A file that cannot be used is logged and changes no key in force. A change is read once two checks in a row found the
same content, so that a file is never read while it is written; SIGHUP reads it at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from schemas.errors import KeysError
from schemas.signatures.keys import Key

CHECK_EVERY_S: Final = 1.0
_NOT_READ: Final = object()

log = structlog.get_logger()


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
