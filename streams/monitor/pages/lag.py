"""`/lag`: who is behind, by how long, and is it getting better?"""

from collections.abc import Mapping

from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.pages.tables import lag_panel


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """Every group that is watched, a row for each of its topics."""
    return Page("Lag", "lag.html", {"lag": lag_panel(monitor, asked.now_ms)})
