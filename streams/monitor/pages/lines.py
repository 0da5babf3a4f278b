"""`/lines`: the newest window of each."""

from collections.abc import Mapping

from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.pages.tables import outcomes_panel
from streams.rules.dimensions import SIP_LINE


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """The newest window of each."""
    return Page("SIP lines", "outcomes.html", {"panel": outcomes_panel(monitor, SIP_LINE, asked.now_ms)})
