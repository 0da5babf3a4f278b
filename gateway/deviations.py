"""Deviations from the provider's documentation: counted, logged once, and noted for a day.

A label is a path of our own models or a JSON type: a sender chooses none.
"""

from typing import Final

import structlog

from gateway.metrics import Metrics
from gateway.webhooks.lenient import MISSING, Deviations

NOTED_FOR_S: Final = 24 * 3600.0
MAX_NOTES: Final = 100

log = structlog.get_logger()


class DeviationLog:
    """The deviations seen by one process, and when each was last seen."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_s: dict[tuple[str, str, str], float] = {}  # by kind, path and what was found, the latest last

    def add(self, kind: str, deviations: Deviations, now_s: float) -> None:
        """Add those of one delivery; log each that was not seen before."""
        for (path, found), count in deviations.items():
            self._metrics.deviating_fields.labels(kind, path, found).inc(count)
            if self._last_s.pop((kind, path, found), None) is None:
                log.warning("callback.deviated", kind=kind, field=path, found=found)
            self._last_s[kind, path, found] = now_s

    def notes(self, now_s: float) -> list[str]:
        """The latest MAX_NOTES of the last NOTED_FOR_S: one note each, and one for all missing fields of a webhook."""
        recent = [key for key, last_s in self._last_s.items() if now_s - last_s < NOTED_FOR_S]
        shown = recent[-MAX_NOTES:]
        notes = [f"{kind}: {path} is not as documented: {found}" for kind, path, found in shown if found != MISSING]
        for kind in dict.fromkeys(kind for kind, _, found in shown if found == MISSING):
            notes.append(_missing(kind, [path for of, path, found in shown if (of, found) == (kind, MISSING)]))
        more = len(recent) - len(shown)
        return [*notes, f"and {more} more, see webhook_deviating_fields_total"] if more else notes


def _missing(kind: str, paths: list[str]) -> str:
    what = "1 documented field is" if len(paths) == 1 else f"{len(paths)} documented fields are"
    return f"{kind}: {what} missing: {', '.join(sorted(paths))}"
