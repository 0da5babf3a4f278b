"""Since when each subject has the value it has, over restarts of the monitor too. Pure but for `note`.

After a start verdicts need a while to be what they were: a reader that stands still must be seen standing. So what the
process before had noted holds for SETTLE_S, and what becomes as it was within that time has been so all the time.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from threading import Lock
from typing import Final, Generic, TypeVar

# As long as the histories that verdicts look at.
SETTLE_S: Final = 120.0
GONE: Final = ""

K = TypeVar("K", bound=Hashable)
Begun = tuple[str, int]
"""A value, and since when (epoch ms)."""


class Beginnings(Generic[K]):
    """One kind of subject. `note(subject, at_ms, value)` is called for each change; GONE is the value of a subject that
    is no more. text: the subject of a key. From any thread.
    """

    def __init__(self, note: Callable[[str, int, str], None], text: Callable[[K], str]) -> None:
        self._note = note
        self._text = text
        self._noted: dict[str, Begun] = {}
        self._now: dict[K, Begun] = {}
        self._held: set[str] = set()
        self._settles_at_ms = 0
        self._lock = Lock()

    def restore(self, noted: Mapping[str, Begun], now_ms: int) -> None:
        """Go on from the newest note of each subject. When that comes late, what we noted since then holds."""
        with self._lock:
            left = {subject: begun for subject, begun in noted.items() if begun[0] != GONE}
            self._held = left.keys() - self._noted.keys()
            self._noted = left | self._noted
            self._settles_at_ms = now_ms + int(SETTLE_S * 1000)
            for key, begun in self._now.items():
                was = left.get(subject := self._text(key), begun)
                if was != begun and was[0] == begun[0]:
                    self._now[key] = self._noted[subject] = was
                    self._note(subject, was[1], was[0])

    def update(self, values: Mapping[K, Begun], now_ms: int, *, is_whole: bool = True) -> dict[K, int]:
        """The values now; with each the instant from which it counts if it is new. Returns since when each has it.

        is_whole: a subject without a value is gone. Otherwise it could not be looked at, and stays as it was.
        """
        with self._lock:
            self._update(values, now_ms, is_whole)
            return {key: self._now[key][1] for key in values}

    def _update(self, values: Mapping[K, Begun], now_ms: int, is_whole: bool) -> None:
        changed = [key for key, (value, _) in values.items() if key not in self._now or self._now[key][0] != value]
        for key in changed:
            noted = self._noted.get(self._text(key))
            self._now[key] = noted if noted and noted[0] == values[key][0] else values[key]
        missing = self._now.keys() - values.keys() if is_whole else set()
        for key in missing:
            del self._now[key]
        self._note_these(changed, map(self._text, missing), now_ms)
        if self._held and is_whole and now_ms >= self._settles_at_ms:
            held, self._held = self._held, set()
            keys = {key: subject for key in self._now if (subject := self._text(key)) in held}
            self._note_these(keys, held.difference(keys.values()), now_ms)

    def _note_these(self, changed: Iterable[K], gone: Iterable[str], now_ms: int) -> None:
        for key in changed:
            subject, begun = self._text(key), self._now[key]
            if self._noted.get(subject) == begun:
                self._held.discard(subject)
            elif subject not in self._held:
                self._noted[subject] = begun
                self._note(subject, begun[1], begun[0])
        for subject in gone:
            if subject in self._noted and subject not in self._held:
                del self._noted[subject]
                self._note(subject, now_ms, GONE)

    def since_ms(self, key: K) -> int | None:
        """Since when the subject has its value; None for one that is not there."""
        begun = self._now.get(key)
        return None if begun is None else begun[1]
