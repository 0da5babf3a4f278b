"""Pure: values of metric labels, bounded in length and number, and never two for one series."""

from hashlib import sha256
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
    """Which values have a label of their own: the first to come keep theirs, so that series do not change places."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._labels: dict[str, str] = {}
        self._dropped: set[int] = set()

    def keep(self, values: list[str]) -> None:
        """Drop the labels of values that are gone, and give new values labels up to the cap."""
        present = set(values)
        self._labels = {value: label for value, label in self._labels.items() if value in present}
        used = {OTHER, *self._labels.values()}
        for value in values:
            if value in self._labels:
                continue
            label = short(value)
            if len(self._labels) < self._cap and label not in used:
                self._labels[value] = label
                used.add(label)
            elif len(self._dropped) < MAX_COUNTED:
                self._dropped.add(hash(value))

    def of(self, value: str) -> str:
        """The value's own label, or OTHER."""
        return self._labels.get(value, OTHER)

    @property
    def dropped(self) -> int:
        """How many values were ever without a label of their own, up to MAX_COUNTED."""
        return len(self._dropped)
