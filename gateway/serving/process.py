"""One process that serves the webhook: its publisher, spool and keys, from the start to a bounded stop."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from gateway.gateway import Gateway
from gateway.publishing.kafka import KafkaPublisher
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool import Spool
from gateway.publishing.spooled import SpoolingPublisher
from gateway.publishing.takeover import take_over
from gateway.serving.descriptors import connections_within, raise_limit
from gateway.serving.http_servers import Server, webhook_server
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import TOPICS
from schemas.runtime.garbage import collect_seldom
from schemas.runtime.tracing import SpanOutcome, start_spans

COLLECT_AFTER: Final = 10_000  # containers made and not yet freed: a few hundred callbacks

log = structlog.get_logger()


class ServingGateway:
    """A gateway with what it needs to serve. leftovers: spools of former workers, to take over before it serves.

    is_worker: it is one of several processes, and `settings` is its share.
    """

    def __init__(self, settings: GatewaySettings, leftovers: Sequence[Path] = (), *, is_worker: bool = False) -> None:
        settings = _within_descriptors(settings)
        self._spool = _spool(settings)
        self._leftovers = leftovers
        self._spans = start_spans(settings.tracing, "gateway", self._count_spans)
        self.gateway = Gateway(settings, _publisher(settings, self._spool), is_worker=is_worker, spans=self._spans)

    def _count_spans(self, outcome: SpanOutcome, spans: int) -> None:
        self.gateway.metrics.count_spans(outcome, spans)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keys watched, publisher and spool open. Raises: SpoolError when the spool cannot be used."""
        gateway = self.gateway
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.keys.reload)
        watching = asyncio.create_task(gateway.keys.watch())
        await gateway.publisher.start()
        try:
            if self._spool is not None:
                await take_over(self._spool, self._leftovers)
            yield
        finally:
            watching.cancel()
            await gateway.publisher.stop()
            if self._spans is not None:
                self._spans.close()

    async def serve_webhook(self, hook_socket: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop`, then until what is in flight is finished."""
        collect_seldom(COLLECT_AFTER)
        webhook = webhook_server(self.gateway)
        serving = asyncio.create_task(webhook.serve(sockets=[hook_socket]))
        await stop.wait()
        await self._drain(webhook, serving)

    async def _drain(self, webhook: Server, serving: asyncio.Task[None]) -> None:
        """Report not ready, keep serving while balancers notice, then finish what is in flight."""
        self.gateway.is_draining = True
        log.info("gateway.draining", in_flight=self.gateway.in_flight.requests)
        await asyncio.sleep(self.gateway.settings.drain_delay_s)
        webhook.should_exit = True
        await serving


def _within_descriptors(settings: GatewaySettings) -> GatewaySettings:
    """As many connections as this process has descriptors for, less those it needs itself."""
    descriptors = raise_limit()
    most = connections_within(descriptors, settings.max_connections)
    log.info("gateway.descriptors_raised", limit=descriptors, max_connections=most)
    return settings.model_copy(update={"max_connections": most})


def _spool(settings: GatewaySettings) -> Spool | None:
    where, names = settings.spool_dir, settings.kafka.names
    return Spool(Path(where), settings.spool_max_bytes, names) if where else None


def _publisher(settings: GatewaySettings, spool: Spool | None) -> Publisher:
    publisher = KafkaPublisher(settings, TOPICS)
    return publisher if spool is None else SpoolingPublisher(publisher, spool, settings.publish_timeout_s)
