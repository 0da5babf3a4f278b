"""`/lines/{line}`: one SIP line against its peers, its history, and why it is as it is."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.errors import BadParameterError, TooManyReadsError
from streams.monitor.lines.asked import explained_range
from streams.monitor.lines.detail import history, kpi_rows, span_over, window_of, word_rows, workflow_rows
from streams.monitor.lines.explainer import alarm_since, explained
from streams.monitor.lines.headline import headline
from streams.monitor.lines.pane_dials import Panes, panes_of
from streams.monitor.links import in_path
from streams.monitor.monitor import Monitor
from streams.monitor.pages.drawing import Chart, Line, Strip
from streams.monitor.pages.frame import Page, PageRequest
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.kpis import Kpi
from streams.rules.labels import short
from streams.rules.windows import window_start

OWN: Final = frozenset({"why"})
WHY: Final = ("yes", "range")  # over the range of an alarm, or over the range shown
HISTORY_MS: Final = 6 * 3_600_000  # of the chart, at least
MAX_WORKFLOWS: Final = 50
MAX_TITLE_CHARS: Final = 80


def build(monitor: Monitor, asked: PageRequest, names: Mapping[str, str]) -> Page:
    """Raises: NotReadyError, NotFoundError for a line without windows."""
    line, store, pane_s = names["line"], monitor.reader.caught_up_store, monitor.settings.window_s
    store.check(SIP_LINE, line)
    from_ms, to_ms = whole_panes(asked.from_ms, asked.to_ms, pane_s)
    before_ms = 2 * from_ms - to_ms
    since_ms = min(from_ms, to_ms - HISTORY_MS)
    panes = panes_of(store, line, since_ms, to_ms, pane_s)
    span, shown = span_over(panes, from_ms, to_ms), _between(panes, from_ms, to_ms)
    rows = workflow_rows(span, line)
    values: dict[str, Any] = {
        "why": None,
        "name_of": store.names.of,
        "line": line,
        "verdict": headline(span, line),
        "alarm_since_ms": alarm_since(monitor, line, asked.now_ms),
        "from_ms": from_ms,
        "to_ms": to_ms,
        "before_ms": before_ms,
        "api": _api(line, from_ms, to_ms),
        "api_before": _api(line, before_ms, from_ms),
        "kpis": kpi_rows(window_of(store, line, from_ms, to_ms), window_of(store, line, before_ms, from_ms)),
        "peers": sorted(span.peers_of(line)),
        "chart": _chart(panes, line, since_ms, to_ms, pane_s, asked.zone.key),
        "words": {
            "Ring type": word_rows(shown, line, "ring_types"),
            "Hangup type": word_rows(shown, line, "hangup_types"),
        },
        "workflows": rows[:MAX_WORKFLOWS],
        "linked": {row.workflow for row in rows if store.has(WORKFLOW, row.workflow)},
        "more_workflows": max(0, len(rows) - MAX_WORKFLOWS),
        "commands": _commands(line, from_ms),
    }
    return Page(f"Line {short(line, MAX_TITLE_CHARS)}", "line.html", values)


async def prepare(monitor: Monitor, asked: PageRequest, names: Mapping[str, str]) -> Mapping[str, Any]:
    """The explanation, when it is asked for. Raises: NotReadyError, NotFoundError, BadParameterError."""
    why, line, pane_s = asked.own.get("why"), names["line"], monitor.settings.window_s
    if why is None:
        return {}
    if why not in WHY:
        raise BadParameterError(f"why must be one of {', '.join(WHY)}")
    bounds = whole_panes(asked.from_ms, asked.to_ms, pane_s)
    given = {name: instants.text(at) for name, at in zip(("from", "to"), bounds, strict=True)} if why == "range" else {}
    asked_for = explained_range(given, alarm_since(monitor, line, asked.now_ms), asked.now_ms, pane_s)
    path = explain_path(line, *asked_for)
    try:
        return {"why": {"path": path, "found": await explained(monitor, line, *asked_for), "fault": ""}}
    except TooManyReadsError as error:
        return {"why": {"path": path, "found": None, "fault": str(error)}}


def whole_panes(from_ms: int, to_ms: int, pane_s: int) -> tuple[int, int]:
    """The range as windows have it, who come whole."""
    pane_ms = pane_s * 1000
    start = window_start(from_ms, pane_ms)
    return start, max(start + pane_ms, -window_start(-to_ms, pane_ms))


def explain_path(line: str, from_ms: int, to_ms: int) -> str:
    """The explanation of that range as JSON."""
    return f"/api/lines/{in_path(line)}/explain?from={instants.text(from_ms)}&to={instants.text(to_ms)}"


def _api(line: str, from_ms: int, to_ms: int) -> str:
    bounds = f"from={instants.text(from_ms)}&to={instants.text(to_ms)}"
    return f"/api/outcomes/sip-lines/{in_path(line)}?{bounds}&window=all"


def _between(panes: Panes, from_ms: int, to_ms: int) -> Panes:
    return {line: [p for p in own if from_ms <= p.window_start_at < to_ms] for line, own in panes.items()}


def _chart(panes: Panes, line: str, from_ms: int, to_ms: int, pane_s: int, zone: str) -> Chart:
    points = history(panes, line, from_ms, to_ms, pane_s)
    strips = [
        Strip("NER of this line, with its 95 % interval", "%", _lines("NER", [point.here for point in points])),
        Strip("NER of its peers, for the same workflows", "%", _lines("peers", [point.peers for point in points])),
    ]
    return Chart("NER, against the peers", [point.at_ms for point in points], strips, zone=zone)


def _lines(label: str, found: list[Kpi | None]) -> list[Line]:
    return [
        Line(f"{label}{suffix}", [None if one is None else one[key] for one in found], role)
        for suffix, key, role in (("", "value", "main"), (" low", "low", "low"), (" high", "high", "high"))
    ]


def _commands(line: str, from_ms: int) -> list[str]:
    chosen = f"--sip-line {shlex.quote(line)} --from {instants.text(from_ms)}"
    return [f"python -m streams tail {topic} {chosen} -o table" for topic in ("call-attempts", "calls")]
