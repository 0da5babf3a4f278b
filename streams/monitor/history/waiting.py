"""What the history has not written yet: recorded at once, written behind, and readable meanwhile. No I/O."""

from collections import defaultdict
from threading import Lock
from typing import Final, NamedTuple

from streams.monitor.history.spans import FINE_S, Span, Started

# A day of two dozen series, 30 MB. What is older is dropped first.
MAX_SPANS: Final = 200_000
MAX_CHANGES: Final = 10_000

Row = tuple[str, int, Span]
"""(series, start in epoch s, span)"""


class Change(NamedTuple):
    """One entry of the append-only list: the subject, of this kind, became `value`."""

    at_ms: int
    kind: str
    subject: str
    value: str


class Batch(NamedTuple):
    """What can be written now."""

    rows: list[Row]
    changes: list[Change]
    kept: dict[str, str]


class Waiting:
    """From any thread; its lock is never held while something is written. dropped: spans that found no room."""

    def __init__(self) -> None:
        self._spans: defaultdict[str, dict[int, Span]] = defaultdict(dict)
        self._changes: list[Change] = []
        self._kept: dict[str, str] = {}
        self._count = 0
        self._lock = Lock()
        self.dropped = 0

    def add(self, name: str, at_ms: int, value: float) -> None:
        """One sample."""
        start, one = at_ms // 1000 // FINE_S * FINE_S, Span(1, value, value)
        with self._lock:
            spans = self._spans[name]
            before = spans.get(start)
            spans[start] = one if before is None else before.with_(one)
            self._count += before is None
            if self._count > MAX_SPANS:
                self._drop_oldest()

    def note(self, change: Change) -> None:
        """One change; the oldest give way."""
        with self._lock:
            self._changes.append(change)
            del self._changes[:-MAX_CHANGES]

    def keep(self, name: str, text: str) -> None:
        """The newest value of a name."""
        with self._lock:
            self._kept[name] = text

    def batch(self, now_s: float) -> Batch:
        """The spans that are over, and all else. It stays here until `written`."""
        with self._lock:
            rows = [
                (name, start, span)
                for name, spans in self._spans.items()
                for start, span in spans.items()
                if start + FINE_S <= now_s
            ]
            return Batch(rows, list(self._changes), dict(self._kept))

    def written(self, batch: Batch) -> None:
        """This is kept elsewhere now; what came since stays."""
        with self._lock:
            for name, start, span in batch.rows:
                self._take(name, start, span)
            done = set(map(id, batch.changes))
            self._changes = [change for change in self._changes if id(change) not in done]
            self._kept = {name: text for name, text in self._kept.items() if batch.kept.get(name) != text}

    def _take(self, name: str, start: int, span: Span) -> None:
        spans = self._spans[name]
        if start not in spans:
            return
        left = spans[start].without(span)
        if left.n > 0:
            spans[start] = left
            return
        del spans[start]
        self._count -= 1
        if not spans:
            del self._spans[name]

    def between(self, name: str, from_s: int, to_s: int) -> list[Started]:
        """The spans of a series that begin in [from_s, to_s)."""
        with self._lock:
            spans = self._spans.get(name, {})
            return [(start, span) for start, span in spans.items() if from_s <= start < to_s]

    def names(self) -> set[str]:
        """The series that have any."""
        with self._lock:
            return set(self._spans)

    def changes(self) -> list[Change]:
        """Those not written, oldest first."""
        with self._lock:
            return list(self._changes)

    def kept(self, name: str) -> list[str]:
        """The value of a name, where one is not written."""
        with self._lock:
            return [self._kept[name]] if name in self._kept else []

    def _drop_oldest(self) -> None:
        """A twentieth at once: sorting them for each sample would cost too much."""
        starts = sorted((start, name) for name, spans in self._spans.items() for start in spans)
        for start, name in starts[: MAX_SPANS // 20]:
            del self._spans[name][start]
            self._count -= 1
            self.dropped += 1
