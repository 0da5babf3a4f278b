"""/api/losses and /losses: one builder for both."""

from typing import Any

from schemas.runtime import instants
from streams.monitor.conservation.conservation import STALE_AFTER_S
from streams.monitor.conservation.scraping import Scraper
from streams.monitor.errors import NotReadyError
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.losses.report import MEANINGS, TITLES, Loss, Section, report
from streams.monitor.monitor import Monitor


def losses(monitor: Monitor, now_ms: int) -> list[Section]:
    """What was lost, as far as the monitor can know."""
    conservation = monitor.conservation
    roles = {
        "gateway": (conservation.gateways, "MONITOR_GATEWAY_URLS"),
        "worker": (conservation.workers, "MONITOR_WORKER_URLS"),
    }
    unsaid = {role: fault for role, (scraper, setting) in roles.items() if (fault := _why(scraper, setting, now_ms))}
    if why := monitor.lag_source.why_stale(now_ms):
        unsaid["lag"] = f"lag: {why}"
    gateway = (monitor.settings.gateway_urls or "").split(",")[0].rstrip("/")
    return report(_snapshot(monitor), conservation.newest(), unsaid, monitor.losses.growth, gateway, now_ms)


def _why(scraper: Scraper, setting: str, now_ms: int) -> str:
    """Why not all instances of a role say what they count; empty when all do."""
    newest = scraper.newest
    if not scraper.is_on:
        return f"{setting} is not set"
    if newest.faults or newest.as_of_ms is None:
        return "; ".join(newest.faults) or "not read yet"
    is_stale = now_ms - newest.as_of_ms > STALE_AFTER_S * 1000
    return f"last read at {instants.text(newest.as_of_ms)}" if is_stale else ""


def _snapshot(monitor: Monitor) -> LagSnapshot | None:
    try:
        return monitor.poller.snapshot
    except NotReadyError:
        return None


def losses_view(sections: list[Section], now_ms: int) -> dict[str, Any]:
    """{"as_of", "sections": [{"kind", "title", "meaning", "count", "state", "unknown", "rows": [{"what", "count",
    "state", "since", "last", "command"}]}]}. count, state null: not known; since, last null: before anybody looked.
    """
    return {
        "as_of": instants.text(now_ms),
        "sections": [
            {
                "kind": section.kind,
                "title": TITLES[section.kind],
                "meaning": MEANINGS[section.kind],
                "count": section.count,
                "state": section.state,
                "unknown": section.unknown or None,
                "rows": [_row(row) for row in section.rows],
            }
            for section in sections
        ],
    }


def _row(row: Loss) -> dict[str, Any]:
    return {
        "what": row.what,
        "count": row.count,
        "state": row.state,
        "since": None if row.since_ms is None else instants.text(row.since_ms),
        "last": None if row.last_ms is None else instants.text(row.last_ms),
        "command": row.command,
    }
