"""What a role asks of the schema registry, as metrics: requests by operation and outcome, and schemas kept."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.registry import Registry
from schemas.registry_client import OPERATIONS, REQUEST_OUTCOMES


class RegistryMetrics:
    """Two metrics, in a role's own."""

    def __init__(self, metrics: CollectorRegistry) -> None:
        self._requests = Counter(
            "schema_registry_requests",
            "Requests to the schema registry, its client's own retries not counted",
            ["operation", "outcome"],
            registry=metrics,
        )
        self._entries = Gauge("schema_cache_entries", "Schemas kept by their ids", registry=metrics)
        for operation in OPERATIONS:
            for outcome in REQUEST_OUTCOMES:
                self._requests.labels(operation, outcome)

    def watch(self, registry: Registry) -> None:
        """Count what this one asks, and show what it keeps."""
        registry.on_request(lambda operation, outcome: self._requests.labels(operation, outcome).inc())
        self._entries.set_function(lambda: registry.schemas_kept)
