"""`/`: is anything wrong?"""

from collections.abc import Mapping

from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest


def build(_: Monitor, __: PageRequest, ___: Mapping[str, str]) -> Page:
    """The problems, worst first; the frame has the headline."""
    return Page("Overview", "overview.html", {})
