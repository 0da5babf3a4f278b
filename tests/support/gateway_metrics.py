"""Every series of the gateway's metrics with the value that `unit/gateway/test_metrics.py` drives it to."""

from __future__ import annotations

from schemas.runtime.build import this_build
from schemas.topics import CALLBACKS
from tests.support.requests import KEY, WEBHOOK

KIND = "call-completion"
DRIVEN = {
    "webhook_unknown_paths_total": 1,
    'webhook_requests_total{source="airudder",outcome="accepted"}': 1,
    'webhook_requests_total{source="airudder",outcome="duplicate"}': 1,
    'webhook_requests_total{source="airudder",outcome="bad_signature"}': 2,
    'webhook_requests_total{source="airudder",outcome="limited"}': 1,
    f'http_server_request_duration_seconds_count{{http_route="{WEBHOOK}",http_request_method="POST",'
    'http_response_status_code="200"}': 2,
    f'webhook_publish_duration_seconds_count{{topic="{CALLBACKS.name}"}}': 1,
    "webhook_in_flight": 2,
    "webhook_arriving": 1,
    "webhook_in_flight_limit": 500,
    "webhook_in_flight_bytes": 8,
    "webhook_in_flight_bytes_limit": 128 * 1024 * 1024,
    f'webhook_signatures_total{{key_id="{KEY.id}"}}': 3,
    'webhook_rate_limited_total{scope="global"}': 1,
    f'webhook_signing_key_valid{{key_id="{KEY.id}"}}': 1,
    'webhook_signing_key_loads_total{outcome="loaded"}': 1,
    'webhook_quarantined_total{reason="bad_signature",outcome="kept"}': 1,
    'gateway_http_refused_total{reason="bad_request"}': 1,
    'gateway_spans_total{outcome="dropped"}': 3,
    'webhook_quarantined_total{reason="bad_signature",outcome="over_cap"}': 1,
    "webhook_quarantine_bytes_limit": 8000,
    f'webhook_unknown_fields_total{{kind="{KIND}",field="details.new_field"}}': 1,
    f'webhook_unknown_words_total{{kind="{KIND}",field="details.ring_type"}}': 1,
    f'webhook_deviating_fields_total{{kind="{KIND}",field="details.duration",found="string"}}': 1,
    'webhook_spool_entries{state="waiting"}': 3,
    'webhook_spool_entries{state="refused"}': 2,
    "webhook_spool_bytes": 11,
    "webhook_spool_bytes_limit": 13,
    "webhook_spool_disk_free_bytes": 17,
    "gateway_kafka_up": 1,
    "gateway_kafka_unacknowledged_age_seconds": 1,
    "gateway_ready": 1,
    f'airudder_build_info{{commit="{this_build().commit}",role="gateway",version="{this_build().version}"}}': 1,
    'gateway_config_info{signature_mode="enforce",signature_scheme="auto",spool="off"}': 1,
}
MORE_OR_LESS = {  # from, to
    "webhook_quarantine_bytes_today": (5000, 8000),
    "webhook_spool_oldest_age_seconds": (60, 100),
}
