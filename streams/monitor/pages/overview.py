"""`/`: is anything wrong?"""

from collections.abc import Mapping

from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.probe.views import probe_view


def build(monitor: Monitor, _: PageRequest, __: Mapping[str, str]) -> Page:
    """The problems, worst first, and the probe; the frame has the headline."""
    return Page("Overview", "overview.html", {"probe": probe_view(monitor.prober)})
