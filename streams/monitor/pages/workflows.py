"""`/workflows`: which workflow does badly?"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from streams.monitor.links import in_path, workflow_path
from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.workflows.ranking import VERDICTS, ranking_view
from streams.monitor.workflows.spans import Span

# Browsers and proxies cut longer paths.
MAX_LINKED_CHARS: Final = 500


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """The workflows of the range, the worst first. Raises: NotReadyError."""
    store = monitor.reader.caught_up_store
    span = Span.around(asked.from_ms, asked.to_ms, monitor.settings.window_s)
    ranking = ranking_view(store, span, monitor.reader.as_of_ms or asked.now_ms, asked.line, asked.workflow)
    rows = list(enumerate(ranking["workflows"]))
    values = {
        "over": span,
        "ranking": ranking,
        "rows": rows,
        "links": {row["value"]: link_to(asked, row["value"]) for _, row in rows},
        "api": api_path(ranking, line=asked.line, only=asked.workflow),
        "meanings": VERDICTS,
    }
    return Page("Workflows", "workflows.html", values)


def link_to(asked: PageRequest, workflow: str) -> str | None:
    """The page of a workflow, over the same range; None where the id is empty, or too long for a URL."""
    if not 0 < len(workflow) <= MAX_LINKED_CHARS:
        return None
    return asked.link(workflow_path(workflow), line=None, workflow=None)


def api_path(
    answer: Mapping[str, str], workflow: str | None = None, line: str | None = None, only: str | None = None
) -> str:
    """Where the API has this answer: of one workflow, or the ranking of all. only: the ranking has this one alone."""
    path = "/api/workflows" + ("" if workflow is None else f"/{in_path(workflow)}")
    chosen = {"from": answer["from"], "to": answer["to"], "line": line, "workflow": only}
    parameters = {name: text for name, text in chosen.items() if text}
    return f"{path}?{urlencode(parameters, quote_via=quote)}"
