"""One gateway: the parts that its endpoints share."""

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from gateway.arrivals import Arrivals
from gateway.limits import InFlight, RateLimits
from gateway.metrics import Metrics
from gateway.publishing.publisher import Publisher
from gateway.reception import Reception
from gateway.settings import GatewaySettings
from gateway.signatures.key_ring import KeyRing
from gateway.tracing import TracedPublishing

if TYPE_CHECKING:
    from schemas.runtime.spans import Spans

MIN_ARRIVALS: Final = 100  # bodies that may be arriving, however few requests may be in flight


class Gateway:
    """Everything between HTTP and the publisher. The server starts and stops the publisher.

    is_worker: one of several processes, whose metrics are shared. spans: None where tracing is off.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        publisher: Publisher,
        *,
        is_worker: bool = False,
        spans: "Spans | None" = None,
    ) -> None:
        self.settings = settings
        self.publisher = publisher
        self.keys = KeyRing(settings.load_keys(), settings.load_keys, settings.signing_keys_file)
        self.keys.on_load = self._use_keys
        self.metrics = Metrics((key.id for key in self.keys.keys), is_shared=is_worker)
        self.rates = RateLimits(settings.rate_global_per_s, settings.rate_source_per_s)
        self.in_flight = InFlight(settings.max_in_flight_requests, settings.max_in_flight_bytes)
        most_bodies = max(MIN_ARRIVALS, settings.max_in_flight_requests)
        self.arrivals = Arrivals(settings.body_timeout_s, max(1, min(most_bodies, settings.max_connections // 2)))
        self.in_flight.make_room = self.arrivals.make_room
        self.spans = spans
        publishing = TracedPublishing(publisher, spans, settings.kafka.names) if spans else publisher
        self.reception = Reception(settings, publishing, self.metrics, self.keys.keys)
        self.is_draining = False

    @property
    def registry(self) -> CollectorRegistry:
        """What /metrics serves."""
        return self.metrics.registry

    def faults(self) -> list[str]:
        """Why a callback sent now might not be accepted; empty when ready."""
        faults = ["stopping"] if self.is_draining else []
        if self.settings.signature_mode == "enforce" and not self.keys.is_any_valid(time.time()):
            faults.append("no signing key is valid now: every callback is refused, and kept in quarantine")
        return [*faults, *self.publisher.faults()]

    def notes(self) -> list[str]:
        """What an operator should know although callbacks are accepted."""
        kafka, spool = self.publisher.kafka_state(), self.publisher.spool_state()
        keys = [f"{fault}; the keys read before stay in force" for fault in self.keys.faults]
        return [
            *keys,
            *kafka.notes,
            *(spool.notes if spool else ()),
            *self.reception.deviations.notes(time.monotonic()),
        ]

    def _use_keys(self, is_loaded: bool) -> None:
        self.metrics.key_loads.labels("loaded" if is_loaded else "refused").inc()
        if is_loaded:
            self.reception.use_keys(self.keys.keys)

    def refresh_gauges(self) -> None:
        """Set the gauges to their values now, for a scrape."""
        self.metrics.show_keys({key.id: key.is_valid(time.time()) for key in self.keys.keys})
        self.metrics.in_flight.set(self.in_flight.requests + len(self.arrivals))
        self.metrics.arriving.set(len(self.arrivals))
        self.metrics.in_flight_limit.set(self.in_flight.max_requests)
        self.metrics.in_flight_bytes.set(self.in_flight.bytes)
        self.metrics.in_flight_bytes_limit.set(self.in_flight.max_bytes)
        self.metrics.quarantine_bytes.set(self.reception.quarantine.unverified_bytes(time.time_ns() // 1_000_000))
        self.metrics.quarantine_bytes_limit.set(self.settings.quarantine_bytes_per_day)
        kafka = self.publisher.kafka_state()
        self.metrics.kafka_up.set(kafka.is_up)
        self.metrics.unacknowledged_age.set(kafka.unacknowledged_s)
        self._refresh_spool_gauges()

    def _refresh_spool_gauges(self) -> None:
        state = self.publisher.spool_state()
        if state is None:
            return
        self.metrics.spool_entries.labels("waiting").set(state.entries)
        self.metrics.spool_entries.labels("refused").set(state.refused)
        self.metrics.spool_bytes.set(state.bytes)
        self.metrics.spool_bytes_limit.set(state.max_bytes)
        self.metrics.spool_free_bytes.set(state.free_bytes)
        self.metrics.spool_oldest_age.set(0 if state.oldest_at is None else time.time() - state.oldest_at / 1000)
