"""The table of the newest windows, as the views show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.errors import NotReadyError
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.views import phase
from streams.rules.dimensions import Dimension
from streams.rules.dispositions import DISPOSITIONS
from streams.rules.kpis import Kpi, kpis

MAX_ROWS: Final = 100
MAX_LINKED_CHARS: Final = 500
OLD_AFTER_S: Final = 10.0


@dataclass(frozen=True)
class KpiCell:
    """One KPI of one window. text: empty below the least number of samples."""

    name: str
    n: int
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class OutcomeRow:
    """One window. url: its value's windows as JSON; None where the value is too long, or empty."""

    window: WindowedOutcomes
    url: str | None
    phase: str
    kpis: list[KpiCell]
    dispositions: list[tuple[str, int]]

    @property
    def dials(self) -> int:
        """All dials that have a disposition."""
        return sum(count for _, count in self.dispositions)


@dataclass(frozen=True)
class OutcomesPanel:
    """The newest window of each value of a dimension, or why there is none. more: rows beyond MAX_ROWS."""

    dimension: Dimension
    age: str
    window_s: int
    rows: tuple[OutcomeRow, ...] = ()
    more: int = 0
    absent: str = ""

    @property
    def kpi_names(self) -> list[str]:
        """All KPIs, in the order of their list."""
        return [kpi.name for kpi in self.rows[0].kpis]


def outcomes_panel(monitor: Monitor, dimension: Dimension, now_ms: int) -> OutcomesPanel:
    """The newest window of each value, or why there is none."""
    age, window_s = _age(monitor.reader.as_of_ms, now_ms), monitor.settings.window_s
    try:
        newest = monitor.reader.caught_up_store.newest(dimension)
    except NotReadyError as error:
        return OutcomesPanel(dimension, age, window_s, absent=str(error))
    if not newest:
        return OutcomesPanel(dimension, age, window_s, absent="No calls yet.")
    newest.sort(key=lambda window: (-window.window_start_at, -window.calls, window.value))
    rows = tuple(_row(dimension, window, now_ms) for window in newest[:MAX_ROWS])
    return OutcomesPanel(dimension, age, window_s, rows, len(newest) - len(rows))


def _row(dimension: Dimension, window: WindowedOutcomes, now_ms: int) -> OutcomeRow:
    counts = ((name, window.attempt_dispositions.get(name, 0)) for name in DISPOSITIONS)
    is_linked = 0 < len(window.value) <= MAX_LINKED_CHARS
    return OutcomeRow(
        window,
        f"/api/outcomes/{dimension.url}/{quote(window.value, safe='')}" if is_linked else None,
        phase(window, now_ms),
        list(_kpi_cells(window)),
        [(name, count) for name, count in counts if count > 0],
    )


def _kpi_cells(window: WindowedOutcomes) -> Iterator[KpiCell]:
    values, samples = kpis(window)
    for name, kpi in values.items():
        yield KpiCell(name, samples[name]) if kpi is None else _known(name, kpi)


def _known(name: str, kpi: Kpi) -> KpiCell:
    """A share is shown in per cent with its interval, a mean as a number."""
    value, n, low, high = kpi["value"] or 0.0, int(kpi["n"] or 0), kpi["low"], kpi["high"]
    if low is None or high is None:
        return KpiCell(name, n, f"{value:.1f}", f"n={n}")
    return KpiCell(name, n, f"{100 * value:.0f} %", f"95 %: {100 * low:.0f} to {100 * high:.0f} %, n={n}")


def _age(as_of_ms: int | None, now_ms: int) -> str:
    """Empty for what is fresh: old numbers say how old they are."""
    if as_of_ms is None or now_ms - as_of_ms <= OLD_AFTER_S * 1000:
        return ""
    return f"{(now_ms - as_of_ms) / 1000:.0f} s old"
