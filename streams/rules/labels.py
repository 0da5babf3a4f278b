"""Pure: values of metric labels, bounded in length and number, and never two for one series."""

from collections.abc import Iterable
from hashlib import sha256
from threading import Lock
from typing import Final

# The label of all values beyond the cap; a value of that very name is counted there, too.
OTHER: Final = "__other__"

MAX_LABEL_CHARS: Final = 128
HASH_CHARS: Final = 12
MAX_COUNTED: Final = 100_000


def short(value: str, limit: int = MAX_LABEL_CHARS) -> str:
    """The value, or its beginning with a hash that separates it from others with the same beginning."""
    if len(value) <= limit:
        return value
    digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]
    return f"{value[: limit - HASH_CHARS - 1]}~{digest}"


class Labels:
    """Which values have a label of their own: the first to come keep theirs, so that series do not change places.

    From any thread.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._labels: dict[str, str] = {}
        self._used = {OTHER}
        self._dropped: set[int] = set()
        self._lock = Lock()

    def take(self, value: str) -> str:
        """The value's label. A new value gets one of its own up to the cap."""
        with self._lock:
            return self._labels.get(value) or self._new(value)

    def keep(self, values: Iterable[str]) -> None:
        """Drop the labels of values that are gone, and give new values labels up to the cap."""
        values = list(values)
        with self._lock:
            present = set(values)
            self._labels = {value: label for value, label in self._labels.items() if value in present}
            self._used = {OTHER, *self._labels.values()}
            for value in values:
                if value not in self._labels:
                    self._new(value)

    def of(self, value: str) -> str:
        """The value's own label, or OTHER."""
        return self._labels.get(value, OTHER)

    def owned(self) -> dict[str, str]:
        """The labels by their values."""
        return dict(self._labels)

    def all(self) -> set[str]:
        """Every label that a series may have now: OTHER only where values came without one of their own."""
        return {*self._labels.values(), *([OTHER] if self._dropped else [])}

    @property
    def dropped(self) -> int:
        """How many values were ever without a label of their own, up to MAX_COUNTED."""
        return len(self._dropped)

    def _new(self, value: str) -> str:
        label = short(value)
        if len(self._labels) < self._cap and label not in self._used:
            self._labels[value] = label
            self._used.add(label)
            return label
        if len(self._dropped) < MAX_COUNTED:
            self._dropped.add(hash(value))
        return OTHER
