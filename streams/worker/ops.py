"""The worker's own port: /livez, /readyz, /metrics, served from a thread, so that it answers while the loop hangs."""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# A loop that did not turn for this long is stuck, not busy: runs yield every few milliseconds.
LOOP_STUCK_S: Final = 30.0


@dataclass
class WorkerState:
    """What health is told from. Written by the worker's loop, read by other threads.

    progress: any number that changes when work gets done; is_busy: work is waiting to be done.
    """

    reason_not_ready: str = "starting"
    progress: int = 0
    is_busy: bool = True
    loop_turned_at: float = field(default_factory=time.monotonic)

    def turn(self, progress: int, *, is_busy: bool) -> None:
        """The loop is alive, and has come this far."""
        self.progress = progress
        self.is_busy = is_busy
        self.loop_turned_at = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """True when the loop has not turned for LOOP_STUCK_S."""
        return time.monotonic() - self.loop_turned_at > LOOP_STUCK_S


def create_ops_app(state: WorkerState, registry: CollectorRegistry) -> Starlette:
    """The three routes. livez never looks at Kafka; readyz says why not."""

    async def livez(_: Request) -> Response:
        return _health("the event loop is stuck" if state.is_stuck else "")

    async def readyz(_: Request) -> Response:
        return _health("the event loop is stuck" if state.is_stuck else state.reason_not_ready)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


def _health(reason: str) -> Response:
    if reason:
        return JSONResponse({"status": "unavailable", "reasons": [reason]}, status_code=503)
    return JSONResponse({"status": "ok"})


class OpsServer:
    """Serves in a daemon thread. uvicorn leaves signals alone outside the main thread."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="ops", daemon=True)

    def start(self) -> None:
        """Start serving; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within a few seconds. Repeat: safe."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
