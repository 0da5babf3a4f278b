"""`/losses`: was anything lost?"""

from collections.abc import Mapping

from streams.monitor.lag.readings import RECENT_S
from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest


def build(monitor: Monitor, _: PageRequest, __: Mapping[str, str]) -> Page:
    """What retention took before it was read, and recent dead letters. Raises: NotReadyError before the first poll."""
    return Page("Losses", "losses.html", {"snapshot": monitor.poller.snapshot, "recent_s": RECENT_S})
