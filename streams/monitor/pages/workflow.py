"""`/workflows/{workflow}`: what becomes of its calls, and where do they end?"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.links import line_path
from streams.monitor.monitor import Monitor
from streams.monitor.pages.drawing import Chart, Line, Strip
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.pages.words import span_text
from streams.monitor.pages.workflows import api_path
from streams.monitor.workflows.detail import workflow_view
from streams.monitor.workflows.ranking import VERDICTS
from streams.monitor.workflows.spans import Span
from streams.rules.dispositions import DISPOSITIONS, PRE_ALERT_FAILURE

# The tiles at the top, with what a number of each means; ratios are drawn with their interval.
TILES: Final = {
    "connect_rate": ("Connect rate", "callees reached"),
    "ner": ("NER", "dials that reached a phone"),
    "completion": ("Completion", "conversations that completed the last required question"),
    "list_badness": ("Bad numbers", "calls to numbers that cannot be right"),
    "callee_hangup_ratio": ("Ended by callee", "conversations that the callee ended"),
    "acd_s": ("Seconds talked", "how long a conversation lasts on average"),
    "attempts_per_answer": ("Dials an answer", "dials that one answer costs"),
    "answered_ring_p50_s": ("Seconds of ringing", "half of the answers took no longer"),
}
LABELS: Final = {"connect_rate": "connect rate", "ner": "NER"}
# What may come of a question, with the colour of its part of the bar: a break-off is what to look at.
STATES: Final = {"completed": "step1", "skipped": "step3", "broke_off": "accent", "not_reached": "step5"}


def build(monitor: Monitor, asked: PageRequest, names: Mapping[str, str]) -> Page:
    """One workflow. Raises: NotReadyError, NotFoundError for one without windows."""
    store = monitor.reader.caught_up_store
    span = Span.around(asked.from_ms, asked.to_ms, monitor.settings.window_s)
    as_of_ms = monitor.reader.as_of_ms or asked.now_ms
    view = workflow_view(store, names["workflow"], span, asked.now_ms, as_of_ms)
    values = {
        "over": span,
        "view": view,
        "api": api_path(view, workflow=view["value"]),
        "meanings": VERDICTS,
        "tiles": TILES,
        "states": list(STATES),
        "colours": STATES,
        "bars": {one["question"]: {state: one[state] for state in STATES} for one in view["questions"]},
        "dispositions": _dispositions(view),
        "failures": (PRE_ALERT_FAILURE,),
        "chart": _chart(view, asked),
        "line_links": {one["sip_line"]: _line_link(asked, one["sip_line"]) for one in view["sip_lines"]},
    }
    return Page(view["workflow_name"], "workflow.html", values)


def _dispositions(view: Mapping[str, Any]) -> dict[str, int]:
    counts = view["now"]["attempt_dispositions"] if view["now"] else {}
    return {name: counts.get(name, 0) for name in DISPOSITIONS}


def _line_link(asked: PageRequest, line: str) -> str:
    return asked.link(line_path(line), line=None, workflow=None)


def _chart(view: Mapping[str, Any], asked: PageRequest) -> Chart:
    points, step_s = view["history"]["points"], view["history"]["step_s"]
    strips = (
        Strip(f"Calls in {span_text(step_s)}", "calls", [_line("answered", points), _line("calls", points, "peer")]),
        Strip("Rates", "%", [_line("connect_rate", points), _line("ner", points, "peer")]),
    )
    return Chart("History", [instants.parse(point["at"]) for point in points], strips, zone=asked.zone.key)


def _line(name: str, points: Sequence[Mapping[str, Any]], role: str = "main") -> Line:
    return Line(LABELS.get(name, name), [point[name] for point in points], role)
