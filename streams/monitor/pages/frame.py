"""What every page has: the health, the navigation, and the range, zone and filters that its URL names."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from streams.monitor.api.endpoint import NO_STORE, Endpoint, Serve, monitor_of, refuse_parameters
from streams.monitor.errors import BadParameterError, MonitorError
from streams.monitor.health import Health, HealthState
from streams.monitor.history.asking import MAX_SPAN_MS
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.parameters import inside, instant_of
from streams.monitor.outcomes.periods import zone_of
from streams.monitor.outcomes.plausible import DAY_MS
from streams.monitor.problems import status_of
from streams.monitor.templating import environment

# Longest first is what a reader needs least, so the shortest is first.
RANGES_S: Final = {"15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
DEFAULT_RANGE: Final = "15m"
PARAMETERS: Final = frozenset({"range", "from", "to", "tz", "line", "workflow"})
NAVIGATION: Final = {
    "/": "Overview",
    "/lag": "Lag",
    "/lines": "Lines",
    "/workflows": "Workflows",
    "/losses": "Losses",
    "/docs": "Topics",
}
MAX_NAMED: Final = 100

HEADERS: Final = NO_STORE | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

ICON: Final = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E{shape}%3C/svg%3E"
# Different in shape, too, for those who see no colours.
ICON_SHAPES: Final[dict[HealthState, str]] = {
    "ok": "%3Ccircle cx='4' cy='4' r='3' fill='%231a7f4b'/%3E",
    "degraded": "%3Cpath d='M4 1 7 7H1z' fill='%23a15c00'/%3E",
    "broken": "%3Crect x='1' y='1' width='6' height='6' fill='%23d0423a'/%3E",
    "blind": "%3Cpath d='M1 1h6v6H1zM3 3v2h2V3z' fill='%23d0423a' fill-rule='evenodd'/%3E",
}


@dataclass(frozen=True)
class PageRequest:
    """What a page's URL asks for. from_ms and to_ms: epoch ms; range: one of RANGES_S, or empty for bounds of its own.

    given: the parameters as they came, kept in every link; own: those of the view alone, which no link keeps.
    """

    path: str
    now_ms: int
    from_ms: int
    to_ms: int
    range: str
    zone: ZoneInfo
    line: str | None
    workflow: str | None
    given: Mapping[str, str]
    own: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, given: Mapping[str, str], now_ms: int, own: Set[str] = frozenset()) -> "PageRequest":
        """own: the names of the view's own parameters. Raises: BadParameterError naming the parameter."""
        if "range" in given and ("from" in given or "to" in given):
            raise BadParameterError("range is instead of from and to")
        name = "" if "from" in given or "to" in given else given.get("range", DEFAULT_RANGE)
        if name and name not in RANGES_S:
            raise BadParameterError(f"range must be one of {', '.join(RANGES_S)}")
        to_ms = instant_of("to", given["to"]) if "to" in given else now_ms
        span_ms = RANGES_S[name or DEFAULT_RANGE] * 1000
        from_ms = instant_of("from", given["from"]) if "from" in given else to_ms - span_ms
        if from_ms >= to_ms:
            raise BadParameterError("from must be before to")
        if to_ms - from_ms > MAX_SPAN_MS:
            raise BadParameterError(f"a range is {MAX_SPAN_MS // DAY_MS} days at most")
        to_ms = inside(to_ms)
        from_ms = min(inside(from_ms), to_ms - 1)
        zone = zone_of(given["tz"]) if "tz" in given else ZoneInfo("UTC")
        line, workflow = given.get("line") or None, given.get("workflow") or None
        kept = {key: value for key, value in given.items() if key not in own}
        return cls(
            path,
            now_ms,
            from_ms,
            to_ms,
            name,
            zone,
            line,
            workflow,
            kept,
            {key: given[key] for key in own & given.keys()},
        )

    def link(self, path: str | None = None, **changes: str | None) -> str:
        """A link that keeps range, zone and filters, but for these changes; None leaves a parameter out."""
        merged = {**self.given, **changes}
        kept = {name: value for name, value in merged.items() if value}
        return (self.path if path is None else path) + (f"?{urlencode(kept, quote_via=quote)}" if kept else "")

    def with_range(self, name: str) -> str:
        """A link to the same page over another range."""
        return self.link(range=name, **{"from": None, "to": None})


@dataclass(frozen=True)
class Page:
    """What a view gives to the frame: its title, its template, and the values of that."""

    title: str
    template: str
    values: Mapping[str, Any]


Build = Callable[[Monitor, PageRequest, Mapping[str, str]], Page]


Prepare = Callable[[Monitor, PageRequest, Mapping[str, str]], Awaitable[Mapping[str, Any]]]


async def _nothing(_: Monitor, __: PageRequest, ___: Mapping[str, str]) -> Mapping[str, Any]:
    return {}


def view(path: str, build: Build, answers: str, prepare: Prepare = _nothing, own: Set[str] = frozenset()) -> Endpoint:
    """The endpoint of a view. build: called in a thread with the monitor, the request, and the names in the path.

    prepare: what must be waited for, as further values of the template. own: parameters of this view alone. What they
    raise of ours is a page with that status.
    """
    return Endpoint(path, _serving(build, prepare, own), answers, PARAMETERS | own)


def _serving(build: Build, prepare: Prepare, own: Set[str]) -> Serve:
    async def serve(request: Request) -> Response:
        monitor, names, now_ms = monitor_of(request), request.path_params, int(time.time() * 1000)
        # as it was sent: decoded, a name in it may hold anything
        path = (request.scope.get("raw_path") or quote(request.scope["path"]).encode()).decode("ascii")
        asked = PageRequest.read(path, {}, now_ms)
        try:
            refuse_parameters(request, PARAMETERS | own)
            asked = PageRequest.read(path, dict(request.query_params), now_ms, own)
            prepared = await prepare(monitor, asked, names)
            made = partial(_document, monitor, asked, build, names, prepared)
        except MonitorError as error:
            made = partial(_refusal, monitor, asked, error)
        async with monitor.room_for_answers:
            return await asyncio.to_thread(made)

    return serve


def _document(
    monitor: Monitor, asked: PageRequest, build: Build, names: Mapping[str, str], prepared: Mapping[str, Any]
) -> Response:
    try:
        page = build(monitor, asked, names)
        return HTMLResponse(render(monitor, asked, replace(page, values={**page.values, **prepared})), 200, HEADERS)
    except MonitorError as error:
        return _refusal(monitor, asked, error)


def _refusal(monitor: Monitor, asked: PageRequest, error: MonitorError) -> Response:
    status = status_of(error)
    page = Page(HTTPStatus(status).phrase, "error.html", {"status": status, "detail": str(error)})
    return HTMLResponse(render(monitor, asked, page), status, HEADERS)


def render(monitor: Monitor, asked: PageRequest, page: Page) -> str:
    """A complete HTML document."""
    health: Health = monitor.health(asked.now_ms)
    return environment.get_template(page.template).render(
        title=page.title,
        health=health,
        icon=ICON.format(shape=ICON_SHAPES[health.state]),
        asked=asked,
        section=section_of(asked.path),
        now_ms=asked.now_ms,
        ranges=RANGES_S,
        navigation=NAVIGATION,
        max_named=MAX_NAMED,
        **page.values,
    )


def section_of(path: str) -> str:
    """Which entry of the navigation a path belongs to."""
    return "/" + path.split("/", 2)[1]
