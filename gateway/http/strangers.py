"""Requests that no webhook takes: 405 at a webhook's path, else 404.

The provider may post to a path that nobody told us of. Its delivery is refused, since a name in `events` keeps it, but
an operator must be able to see it: a POST below the webhooks' path is counted, and the first few names are logged.
"""

from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from gateway.metrics import Metrics
from gateway.webhooks.kinds import kind_at
from gateway.webhooks.unknowns import OTHER, Names
from schemas.topics import WEBHOOKS_PATH

_ALLOWED: Final = {"Allow": "POST"}

log = structlog.get_logger()


class Strangers:
    """An ASGI application that only refuses. Anyone can choose the names, so they are bounded, and no label."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._names = Names()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises: HTTPException."""
        path: str = scope["path"]
        if kind_at(path):
            raise HTTPException(405, headers=_ALLOWED)
        if scope["method"] == "POST" and path.startswith(WEBHOOKS_PATH):
            self._note(path.removeprefix(WEBHOOKS_PATH))
        raise HTTPException(404)

    def _note(self, name: str) -> None:
        self._metrics.unknown_webhooks.inc()
        is_new = name not in self._names.seen
        if self._names.label(name) != OTHER and is_new:
            log.warning("webhook.not_found", name=name, reason="no webhook has this path; point it at events/NAME")
