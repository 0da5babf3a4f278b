"""How long each table took to recover: from the assignment to its last row."""

import time
from collections.abc import Callable


class Recovery:
    """The newest recovery. `begin` at each assignment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = clock()
        self._restored_at: dict[str, float] = {}

    def begin(self) -> None:
        """Partitions were assigned."""
        self._began_at = self._clock()
        self._restored_at.clear()

    def restored(self, table: str) -> None:
        """Rows of this table were restored."""
        self._restored_at[table] = self._clock()

    def seconds(self, table: str) -> float:
        """What the table took; 0 when it had no row to restore."""
        return self._restored_at.get(table, self._began_at) - self._began_at
