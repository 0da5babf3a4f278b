"""The worker's own port: /livez, /readyz, /metrics, served from a thread, so that it answers while the loop hangs."""

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Final, Self

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.runtime.exposition import expose
from schemas.runtime.health import HEADERS, HealthAnswer, liveness, readiness

# A loop that did not turn for this long is stuck, not busy: runs yield every few milliseconds.
LOOP_STUCK_S: Final = 30.0
STUCK: Final = "the event loop is stuck"


@dataclass
class WorkerState:
    """The state that health is judged by. Written by the worker's loop, read by other threads.

    progress: a number that changes when something gets done; is_busy: work is waiting to be done.
    """

    reason_not_ready: str = "starting"
    progress: int = 0
    is_busy: bool = True
    loop_turned_at: float = field(default_factory=time.monotonic)

    def wait_for(self, reason: str) -> None:
        """The start waits for what `reason` says."""
        self.reason_not_ready = f"starting: {reason}"
        self.loop_turned_at = time.monotonic()

    def progressed(self) -> None:
        """Note progress: a run was settled, rows were restored, or a request to the registry was repeated."""
        self.progress += 1

    def turn(self, *, is_busy: bool) -> None:
        """The loop is alive."""
        self.is_busy = is_busy
        self.loop_turned_at = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """True when the loop has not turned for LOOP_STUCK_S."""
        return time.monotonic() - self.loop_turned_at > LOOP_STUCK_S


def create_ops_app(state: WorkerState, registry: CollectorRegistry) -> Starlette:
    """The three routes. livez knows nothing of Kafka; readyz names the reason when not ready."""

    async def livez(_: Request) -> Response:
        return _json(liveness([STUCK] if state.is_stuck else []))

    async def readyz(_: Request) -> Response:
        reason = STUCK if state.is_stuck else state.reason_not_ready
        return _json(readiness([reason] if reason else []))

    async def metrics(request: Request) -> Response:
        answer = expose(registry, request.headers)
        return Response(answer.body, headers=answer.headers)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


def _json(answer: HealthAnswer) -> Response:
    return JSONResponse(answer.body, answer.status_code, HEADERS)


class OpsServer:
    """Serves a socket that listens already, in a daemon thread. uvicorn leaves signals alone outside the main thread.

    uvicorn ends its thread, and nothing else, when it cannot bind: so binding is not left to it.
    """

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([bound],), name="ops", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop within a few seconds."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
