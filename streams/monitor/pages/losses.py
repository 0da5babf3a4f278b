"""`/losses`: was anything lost?"""

from collections.abc import Mapping

from streams.monitor.losses.views import losses, losses_view
from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """What was lost or set aside, by kind."""
    found = losses(monitor, asked.now_ms)
    return Page("Losses", "losses.html", {"losses": losses_view(found, asked.now_ms)["sections"], "sections": found})
