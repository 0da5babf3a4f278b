"""What every endpoint of the monitor is made of. `app.py` joins the lists of all modules."""

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.parameters import refuse_unknown

NO_STORE: Final = {"Cache-Control": "no-store"}

to_json = msgspec.json.Encoder().encode

Serve = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """One path, what it answers in words, and the parameters that it takes.

    A name in braces takes one part of the path; `{value}`, `{line}`, `{workflow}` and `{group}` may have slashes,
    for names that others gave may hold anything.
    """

    path: str
    serve: Serve
    answers: str
    parameters: Set[str] = frozenset()

    def route(self) -> Route:
        """The same for Starlette."""
        path = self.path
        for name in ("value", "line", "workflow", "group"):
            path = path.replace(f"{{{name}}}", f"{{{name}:anything}}")
        return Route(path, self.serve)


def monitor_of(request: Request) -> Monitor:
    """The process's monitor."""
    monitor: Monitor = request.state.monitor
    return monitor


def refuse_parameters(request: Request, known: Set[str] = frozenset()) -> None:
    """Raises: BadParameterError for a parameter that is not known, or comes twice."""
    refuse_unknown(request.query_params.multi_items(), known)


def json_answer(body: object) -> Response:
    """200 with this body."""
    return Response(to_json(body), media_type="application/json", headers=NO_STORE)
