"""Pure: the answer of /api/lines. The page `/lines` shows the same numbers."""

from collections.abc import Iterable, Mapping
from math import isinf
from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.lines.notices import Notice, worst_first
from streams.monitor.lines.problems import fallen_evidence
from streams.monitor.lines.ranking import Peer, RankedLine, Ranking
from streams.monitor.outcomes.workflow_names import WorkflowNames
from streams.rules.kpis import DIGITS, kpis

MAX_WORKFLOWS: Final = 5
MAX_Z: Final = 1000.0


def lines_view(
    ranking: Ranking, notices: Mapping[str, Notice], names: WorkflowNames, as_of_ms: int, more: str | None
) -> dict[str, Any]:
    """{"window_s", "from", "to", "as_of", "lines", "values", "notices", "next"}; see streams/monitor/README.md."""
    starts = ranking.query.starts
    body: dict[str, Any] = {
        "window_s": len(starts) * ranking.query.pane_s,
        "from": instants.text(starts.start),
        "to": instants.text(ranking.query.end_ms),
        "as_of": instants.text(as_of_ms),
        "lines": ranking.count,
        "values": [line_view(row, names) for row in ranking.rows],
        "notices": list(_notices(notices.values(), names)),
    }
    return body | ({"next": more} if more else {})


def line_view(row: RankedLine, names: WorkflowNames) -> dict[str, Any]:
    """One line: its state, its peers, its KPIs with n, its workflows, and its NER of the last 24 hours."""
    values, samples = kpis(row.window)
    return {
        "value": row.line,
        "state": row.state,
        "since": None if row.since_ms is None else instants.text(row.since_ms),
        "calls": row.window.calls,
        "attempts": row.window.attempts,
        "peer": peer_view(row.peer, row.since_ms),
        "kpis": values,
        "kpi_samples": samples,
        "workflows": [
            {"value": workflow, "workflow_name": names.of(workflow), "attempts": attempts}
            for workflow, attempts in row.workflows[:MAX_WORKFLOWS]
        ],
        "workflow_count": len(row.workflows),
        "ner_by_hour": row.hours,
    }


def peer_view(peer: Peer, since_ms: int | None) -> dict[str, Any]:
    """z, relative and usual are null below 30 dials on either side."""
    known, z = peer.is_known, peer.found.z
    return {
        "control": peer.against.value,
        "z": round(max(-MAX_Z, min(MAX_Z, z)) if isinf(z) else z, 2) if known else None,
        "relative": round(peer.found.relative, 4) if known else None,
        "n": peer.found.n,
        "control_n": peer.found.control_n,
        "lines": peer.lines,
        "usual": None if peer.usual is None else round(peer.usual, DIGITS),
        "band": None if peer.band is None else [round(peer.band.low, DIGITS), round(peer.band.high, DIGITS)],
        "since": None if since_ms is None else instants.text(since_ms),
    }


def _notices(notices: Iterable[Notice], names: WorkflowNames) -> Iterable[dict[str, Any]]:
    for notice in worst_first(notices):
        yield {
            "workflow": notice.workflow,
            "workflow_name": names.of(notice.workflow),
            "lines": notice.lines,
            "since": instants.text(notice.since_ms),
            "relative": round(notice.found.relative, 4),
            "z": round(notice.found.z, 2),
            "evidence": fallen_evidence(notice),
        }
