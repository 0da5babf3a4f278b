"""One gateway: what its endpoints share."""

from gateway.limits import InFlight
from gateway.metrics import Metrics
from gateway.publisher import Publisher
from gateway.reception import Reception
from gateway.settings import GatewaySettings


class Gateway:
    """Everything between HTTP and the publisher. The publisher is started and stopped by whoever serves."""

    def __init__(self, settings: GatewaySettings, publisher: Publisher) -> None:
        self.settings = settings
        self.publisher = publisher
        self.metrics = Metrics(key.id for key in settings.signing_keys)
        self.in_flight = InFlight(settings.max_in_flight_requests, settings.max_in_flight_bytes)
        self.reception = Reception(settings, publisher, self.metrics)
        self.is_draining = False

    def faults(self) -> list[str]:
        """Why a callback sent now might not be accepted; empty when ready."""
        return [*(["stopping"] if self.is_draining else []), *self.publisher.faults()]

    def refresh_gauges(self) -> None:
        """Set the gauges to this moment, for a scrape."""
        self.metrics.in_flight.set(self.in_flight.requests)
        self.metrics.in_flight_limit.set(self.in_flight.max_requests)
        self.metrics.in_flight_bytes.set(self.in_flight.bytes)
        self.metrics.in_flight_bytes_limit.set(self.in_flight.max_bytes)
        self.metrics.ready.set(not self.faults())
