"""The two web applications of a gateway: the webhook's and the ops port's."""

import time
from collections.abc import Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.gateway import Gateway
from gateway.http import ops
from gateway.http.problems import http_problem
from gateway.http.routes import Webhook
from gateway.http.strangers import Strangers
from gateway.http.tracing import METHODS, ServerSpans
from gateway.metrics import GatewayInfo, Metrics
from gateway.webhooks.kinds import BY_PATH, kind_at


def create_app(gateway: Gateway) -> ASGIApp:
    """The webhook's application. The caller opens and closes the gateway."""
    app = Starlette(
        routes=[Route("/{path:path}", Strangers(gateway.metrics))], exception_handlers={HTTPException: http_problem}
    )
    app.router.redirect_slashes = False  # never a 3xx: senders count it as a failure
    timed = RequestDurations(PostDispatch(Webhooks(gateway, app), app), gateway.metrics)
    return ServerSpans(timed, gateway.spans) if gateway.spans else timed


def create_ops_app(source: ops.OpsSource) -> Starlette:
    """Health, metrics and the webhook's description, for a port that senders do not reach."""
    info = GatewayInfo(source.registry, source.settings)
    return Starlette(
        routes=[
            Route("/livez", ops.livez),
            Route("/readyz", partial(ops.readyz, source)),
            Route("/metrics", partial(ops.metrics, source, info)),
            Route("/openapi.json", partial(ops.openapi, source)),
        ],
        exception_handlers={HTTPException: http_problem},
    )


class Webhooks(dict[str, ASGIApp]):
    """The endpoints by path. That of an event is made when it is asked for and not kept: anyone can choose a name."""

    def __init__(self, gateway: Gateway, otherwise: ASGIApp) -> None:
        super().__init__((path, Webhook(gateway, kind)) for path, kind in BY_PATH.items())
        self._gateway = gateway
        self._otherwise = otherwise

    def __missing__(self, path: str) -> ASGIApp:
        kind = kind_at(path)
        return Webhook(self._gateway, kind) if kind else self._otherwise


class PostDispatch:
    """Dispatches a POST to one of our paths; the Starlette application refuses everything else, with 404 or 405.

    A router would reach the same webhook through more layers; tests/benchmarks/test_gateway_work.py counts the calls.
    """

    def __init__(self, webhooks: Mapping[str, ASGIApp], app: ASGIApp) -> None:
        self._webhooks = webhooks
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        app = self._webhooks[scope["path"]] if is_post else self._app
        await app(scope, receive, send)


class RequestDurations:
    """Times every HTTP request. A path or method that is not ours is counted as `other`: a sender chooses no label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            route = scope["path"] if scope["path"] in BY_PATH else _route_at(scope["path"])
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.http_durations[route, method, str(status)].observe(time.perf_counter() - started)


def _route_at(path: str) -> str:
    kind = kind_at(path)
    return kind.route if kind else "other"
