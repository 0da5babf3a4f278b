"""A span around every request of the webhook's port, where tracing is on."""

from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.tracing import CURRENT, RequestSpan
from gateway.webhooks.kinds import kind_at

if TYPE_CHECKING:
    from schemas.runtime.spans import Attributes, Spans

_OTHER: Final = "_OTHER"  # OpenTelemetry's word for a method that it does not know
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ServerSpans:
    """The application, with a span for each request. A path or method that is not ours is in no name or attribute."""

    def __init__(self, app: ASGIApp, spans: "Spans") -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = RequestSpan(self._spans, lambda: _head(scope), scope["headers"])
        status = 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        CURRENT.set(request)
        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            request.end(status)


def _head(scope: Scope) -> tuple[str, "Attributes"]:
    """The name and the attributes of a request's span."""
    method = scope["method"] if scope["method"] in METHODS else _OTHER
    name = "HTTP" if method == _OTHER else method
    attributes: Attributes = {
        "http.request.method": method,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if kind := kind_at(scope["path"]):
        attributes["http.route"] = kind.route
        name = f"{name} {kind.route}"
    return name, attributes
