"""The pages' endpoints: one row a view."""

import asyncio
from collections.abc import Set
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.documents.files import asyncapi_text
from streams.monitor.api.endpoint import NO_STORE, Endpoint, refuse_parameters
from streams.monitor.pages import lag, line, lines, losses, overview, partition, workflow, workflows
from streams.monitor.pages.docs import render_docs
from streams.monitor.pages.frame import HEADERS, Build, Prepare, view

# The topics have no script.
DOCS_HEADERS: Final = HEADERS | {"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:"}


async def docs(request: Request) -> Response:
    """The topics for subscribers. It needs no Kafka."""
    refuse_parameters(request)
    return HTMLResponse(await asyncio.to_thread(render_docs, request.app.state.topic_prefix), headers=DOCS_HEADERS)


async def asyncapi(request: Request) -> Response:
    """The same as the AsyncAPI document that this build ships."""
    refuse_parameters(request)
    return Response(asyncapi_text(), media_type="application/yaml", headers=NO_STORE)


VIEWS: Final[dict[str, tuple[Build, str]]] = {
    "/": (overview.build, "the overview: is anything wrong?"),
    "/lag": (lag.build, "every group that is watched: how far is it behind?"),
    "/lag/{group}/{topic}/{partition}": (
        partition.build,
        "one partition of one group, and the record that it stands at",
    ),
    "/lines": (lines.build, "the SIP lines"),
    "/lines/{line}": (line.build, "one SIP line: against its peers, its history, and why"),
    "/workflows": (workflows.build, "the workflows, the worst first"),
    "/workflows/{workflow}": (workflow.build, "one workflow: funnel, redials, lines, history; 404 for an unknown one"),
    "/losses": (losses.build, "what was lost, and where"),
}
# What must be waited for, and the parameters that ask for it.
WAITED_FOR: Final[dict[str, tuple[Prepare, Set[str]]]] = {
    "/lag/{group}/{topic}/{partition}": (partition.prepare, frozenset()),
    "/lines/{line}": (line.prepare, line.OWN),
}
ENDPOINTS: Final = (
    *(view(path, build, answers, *WAITED_FOR.get(path, ())) for path, (build, answers) in VIEWS.items()),
    Endpoint("/docs", docs, "the topics, field by field"),
    Endpoint("/docs/asyncapi.yaml", asyncapi, "the topics as an AsyncAPI document"),
)
