"""Every metric of the gateway, named and described once. No ids, numbers or free text as labels."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from gateway.errors import ClientGoneError, EdgeError, request_errors
from gateway.settings import GatewaySettings
from gateway.webhooks.unknowns import Found
from schemas.runtime.build import show_build
from schemas.runtime.tracing import SPAN_OUTCOMES, SpanOutcome

Source = Literal["airudder", "probe"]
PROVIDER: Final = "airudder"
PROBE: Final = "probe"  # verified and read as one; what is refused before that counts as the provider's
Acceptance = Literal["accepted", "spooled", "duplicate"]
OUTCOMES: Final = (
    *get_args(Acceptance),
    *dict.fromkeys(error.outcome for error in request_errors() if not issubclass(error, EdgeError)),
)
EDGE_CODES: Final = (*(error.code for error in request_errors(EdgeError)), ClientGoneError.code)
Mode = Literal["livesum", "sum", "livemin", "livemax"]  # how the values of several workers become one
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Children(dict[tuple[str, ...], Any]):
    """A metric's children by their labels. `labels` checks and locks on each call."""

    def __init__(self, metric: Counter | Histogram) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self[labels] = self._metric.labels(*labels)
        return child


class Metrics:
    """The metrics of one process, on a registry of their own, so that one test can hold two gateways.

    is_shared: their values are shared with other processes, see `shared_metrics.py`.
    """

    def __init__(self, key_ids: Iterable[str], *, is_shared: bool = False) -> None:
        self._is_shared = is_shared
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "webhook_requests_total",
            "Webhook requests by what became of them; received = sum of outcomes.",
            ["source", "outcome"],
            registry=self.registry,
        )
        self.http_duration = Histogram(
            "http_server_request_duration_seconds",
            "Time from the request's headers to the last byte of the answer.",
            ["http_route", "http_request_method", "http_response_status_code"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.publish_duration = Histogram(
            "webhook_publish_duration_seconds",
            "Time to the broker's acknowledgement with acks=all, by topic.",
            ["topic"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = self._gauge("webhook_in_flight", "Requests being processed.")
        self.arriving = self._gauge(
            "webhook_arriving", "Requests among webhook_in_flight whose body is still arriving: they take no place."
        )
        self.in_flight_limit = self._gauge(
            "webhook_in_flight_limit", "Requests with their body over this are answered 429; workers share it.", "sum"
        )
        self.refused = Counter(
            "gateway_http_refused_total",
            "Connections and requests on the webhook's port refused before they were a request of a webhook.",
            ["reason"],
            registry=self.registry,
        )
        self.in_flight_bytes = self._gauge("webhook_in_flight_bytes", "Body bytes held in memory.")
        self.in_flight_bytes_limit = self._gauge(
            "webhook_in_flight_bytes_limit", "Bytes over this are answered 429; workers share it.", "sum"
        )
        self.signatures = Counter(
            "webhook_signatures_total",
            "Verified requests by the key that verified them; key_id none: let through by report or off mode.",
            ["key_id"],
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "webhook_rate_limited_total",
            "Requests answered 429 for their rate: global (all requests) or source (one address).",
            ["scope"],
            registry=self.registry,
        )
        self.key_valid = Gauge(
            "webhook_signing_key_valid",
            "1 while the key may sign, 0 before and after its time; absent (several workers: 0) when it is no key.",
            ["key_id"],
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self._shown_keys: set[str] = set()
        self.key_loads = Counter(
            "webhook_signing_key_loads_total",
            "Readings of AIRUDDER_SIGNING_KEYS_FILE after the start: loaded, or refused with the old keys kept.",
            ["outcome"],
            registry=self.registry,
        )
        self.quarantined = Counter(
            "webhook_quarantined_total",
            "Requests for the quarantine topic: kept, over_cap (not kept, over the daily cap), lost (Kafka away).",
            ["reason", "outcome"],
            registry=self.registry,
        )
        self.quarantine_bytes = self._gauge(
            "webhook_quarantine_bytes_today", "Bytes of unverified requests kept since midnight UTC.", "sum"
        )
        self.quarantine_bytes_limit = self._gauge(
            "webhook_quarantine_bytes_limit", "Over this in a day unverified requests are not kept, but counted.", "sum"
        )
        self.unknown_fields = Counter(
            "webhook_unknown_fields_total",
            "Fields kept that the provider does not document, by path; other: not a name, or one too many.",
            ["kind", "field"],
            registry=self.registry,
        )
        self.unknown_words = Counter(
            "webhook_unknown_words_total",
            "Words kept that the provider does not list for the field. A new word may need a rule of its own.",
            ["kind", "field"],
            registry=self.registry,
        )
        self.unknown_webhooks = Counter(
            "webhook_unknown_paths_total",
            "POSTs below the webhooks' path that no webhook takes: answered 404 and not kept.",
            registry=self.registry,
        )
        self.deviating_fields = Counter(
            "webhook_deviating_fields_total",
            "Documented fields kept though not as documented, by path and what was found: a JSON type, or missing.",
            ["kind", "field", "found"],
            registry=self.registry,
        )
        self.spool_entries = Gauge(
            "webhook_spool_entries",
            "Records on disk: waiting for Kafka, or refused by it for good and set aside until the next start.",
            ["state"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.spool_bytes = self._gauge("webhook_spool_bytes", "Bytes the spool holds.")
        self.spool_bytes_limit = self._gauge(
            "webhook_spool_bytes_limit", "Over this a callback is answered 503.", "sum"
        )
        self.spool_free_bytes = self._gauge(
            "webhook_spool_disk_free_bytes", "What the spool's disk has left.", "livemin"
        )
        self.spool_oldest_age = self._gauge(
            "webhook_spool_oldest_age_seconds", "Age of the oldest record waiting.", "livemax"
        )
        self.kafka_up = self._gauge("gateway_kafka_up", "1 while a broker answers and has our topics.", "livemin")
        self.unacknowledged_age = self._gauge(
            "gateway_kafka_unacknowledged_age_seconds",
            "Age of the oldest record the producer has no answer for.",
            "livemax",
        )
        self.spans = Counter(
            "gateway_spans_total",
            "Spans that were recorded: exported, failed (the collector took them not), dropped (the queue was full).",
            ["outcome"],
            registry=self.registry,
        )
        self.request_counts = Children(self.requests)
        self.http_durations = Children(self.http_duration)
        self.publish_durations = Children(self.publish_duration)
        self.signature_counts = Children(self.signatures)
        self._start_at_zero(key_ids)

    def _gauge(self, name: str, description: str, mode: Mode = "livesum") -> Gauge:
        return Gauge(name, description, registry=self.registry, multiprocess_mode=mode)

    def count_unknown(self, kind: str, found: Found) -> None:
        """Fields and words beyond the provider's documentation."""
        for path, count in found.fields.items():
            self.unknown_fields.labels(kind, path).inc(count)
        for path, count in found.words.items():
            self.unknown_words.labels(kind, path).inc(count)

    def count_spans(self, outcome: SpanOutcome, spans: int) -> None:
        """Count spans that left, or did not."""
        self.spans.labels(outcome).inc(spans)

    def restored_quarantine_bytes(self) -> int:
        """The gauge's value at the start: after a worker's death, what that worker had kept."""
        return int(self.registry.get_sample_value("webhook_quarantine_bytes_today") or 0)

    def show_words(self, fields: Iterable[tuple[str, str]]) -> None:
        """Show the fields whose words are known, at zero from the start."""
        for kind, path in fields:
            self.unknown_words.labels(kind, path)

    def show_keys(self, is_valid: Mapping[str, bool]) -> None:
        """Show the keys by id, and which of them may sign now."""
        for key_id in self._shown_keys - set(is_valid):
            if self._is_shared:  # prometheus_client cannot remove what several processes have
                self.key_valid.labels(key_id).set(0)
            else:
                self.key_valid.remove(key_id)
        for key_id, valid in is_valid.items():
            self.key_valid.labels(key_id).set(valid)
            self.signatures.labels(key_id)
        self._shown_keys = set(is_valid)

    def _start_at_zero(self, key_ids: Iterable[str]) -> None:
        """Create the series at the start, so that `rate()` sees the first event."""
        for source in get_args(Source):
            for outcome in OUTCOMES:
                self.requests.labels(source, outcome)
        for key_id in (*key_ids, "none"):
            self.signatures.labels(key_id)
        for scope in ("global", "source"):
            self.rate_limited.labels(scope)
        for outcome in ("loaded", "refused"):
            self.key_loads.labels(outcome)
        for outcome in SPAN_OUTCOMES:
            self.spans.labels(outcome)
        for reason in EDGE_CODES:
            self.refused.labels(reason)
        for reason in ("bad_signature", "malformed", "unsupported_type"):
            for outcome in ("kept", "over_cap", "lost"):
                self.quarantined.labels(reason, outcome)


def ops_refusals(registry: CollectorRegistry) -> Counter:
    """The counter of refusals on the ops port, which the parent serves where there are several workers."""
    counter = Counter(
        "gateway_ops_refused_total",
        "Connections and requests on the ops port refused by its HTTP protocol.",
        ["reason"],
        registry=registry,
    )
    for reason in EDGE_CODES:
        counter.labels(reason)
    return counter


class GatewayInfo:
    """Metrics of a gateway as a whole, however many processes it has."""

    def __init__(self, registry: CollectorRegistry, settings: GatewaySettings) -> None:
        self.ready = Gauge("gateway_ready", "1 when /readyz answers 200.", registry=registry)
        show_build("gateway", registry)
        config = Gauge(
            "gateway_config_info",
            "Always 1; how it is set up. signature_mode other than enforce: anyone can send callbacks.",
            ["signature_mode", "signature_scheme", "spool"],
            registry=registry,
        )
        spool = "off" if settings.spool_dir is None else "on"
        config.labels(settings.signature_mode, settings.signature_scheme, spool).set(1)
