"""The webhook over HTTP with a publisher in memory: every answer of the contract, in the right order of checks."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from gateway.http.app import create_app
from gateway.metrics import OUTCOMES
from schemas.records.kept import QuarantinedRequest
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, QUARANTINE
from tests.support.deliveries import EXAMPLE, example, to_body, with_detail
from tests.support.door import Door, assert_problem, open_door
from tests.support.provider import provider_json
from tests.support.requests import KEY, WEBHOOK, signed
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)


async def test_a_sender_that_hangs_up_within_its_body_is_counted_and_nothing_is_published() -> None:
    messages = iter([{"type": "http.request", "body": BODY[:9], "more_body": True}, {"type": "http.disconnect"}])
    headers = [(name.lower().encode(), value.encode()) for name, value in signed(BODY).items()]
    scope = {"type": "http", "method": "POST", "path": WEBHOOK, "headers": headers, "query_string": b"", "client": None}

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    door = Door()
    await create_app(door.gateway)(scope, receive, send)

    assert (door.outcome("client_gone"), door.outcome("internal_error"), door.publisher.stored) == (1, 0, [])


async def test_a_verified_callback_is_published_and_answered_200_with_an_empty_object() -> None:
    async with open_door() as door:
        response = await door.post()

        (stored,) = door.publisher.records(CALLBACKS)
        assert (response.status_code, response.content) == (200, b"{}")
        assert response.headers["content-type"] == "application/json"
        assert stored.key == "ic1689265xxxxxxxxxxfe7b7da5b5"
        assert isinstance(stored.record, Callback)
        assert (stored.record.signature_scheme, stored.record.signature_key_id) == ("hmac-sha256", "k1")
        assert door.outcome("accepted") == 1


async def test_the_key_is_the_event_id_when_there_is_no_call() -> None:
    async with open_door() as door:
        await door.post(to_body(example(details=[])))

        (stored,) = door.publisher.records(CALLBACKS)
        assert isinstance(stored.record, Callback)
        assert stored.key == stored.record.event_id


@pytest.mark.parametrize(
    ("sent", "trace_id"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("nonsense", None),
    ],
)
async def test_the_senders_trace_goes_on_when_it_is_valid(sent: str, trace_id: str | None) -> None:
    async with open_door() as door:
        await door.post(headers={**signed(BODY), "traceparent": sent})

        headers = dict(door.publisher.records(CALLBACKS)[0].headers)
        assert headers["traceparent"].split(b"-")[1].decode() == (trace_id or headers["ce_id"].decode()[:32])


async def test_no_name_of_the_requests_overwrites_one_of_ours() -> None:
    ours = ["event_id", "received_at", "kind", "signature_scheme", "signature_key_id", "extra", "detail_offset"]
    theirs = dict.fromkeys(ours, "theirs")
    body = to_body(with_detail(**theirs, ner_slots="theirs") | theirs)
    named = ("ce_id", "ce_source", "ce_time", "ce_type", "ce_specversion", "synthetic", "replayed_from", *ours)
    async with open_door() as door:
        answer = await door.post(body, {**dict.fromkeys(named, "theirs"), **signed(body)})
        await door.post(body, {**dict.fromkeys(named, "theirs"), "content-type": "application/json"})

        (stored,) = door.publisher.records(CALLBACKS)
        (kept,) = door.publisher.records(QUARANTINE)
        assert answer.status_code == 200
        assert isinstance(stored.record, Callback)
        assert stored.record.event_id == hashlib.sha256(body).hexdigest()
        assert (stored.record.kind, stored.record.signature_key_id) == ("call-completion", KEY.id)
        assert (stored.record.detail_offset, stored.record.extra) == (0, dict.fromkeys(ours, '"theirs"'))
        assert stored.record.details[0].ner_slots == EXAMPLE["details"][0]["NerSlots"]
        assert provider_json(stored.record) == json.loads(body)
        for record in (stored, kept):
            assert len(record.headers) == len(dict(record.headers)) == 7
            assert b"theirs" not in dict(record.headers).values()
        assert dict(stored.headers)["ce_id"] != dict(kept.headers)["ce_id"]
        assert isinstance(kept.record, QuarantinedRequest)
        assert (kept.record.reason, kept.record.remote_address) == ("bad_signature", "192.0.2.7")


async def test_probe_traffic_is_marked_synthetic_and_other_traffic_is_not() -> None:
    async with open_door() as door:
        await door.post(to_body(example(workflow_id="__probe__")))
        await door.post()

        probe, real = (dict(stored.headers) for stored in door.publisher.records(CALLBACKS))
        assert probe["synthetic"] == b"1"
        assert "synthetic" not in real
        assert (door.outcome("accepted", "probe"), door.outcome("accepted")) == (1, 1)


async def test_a_probe_counts_as_one_once_it_is_verified_and_whatever_becomes_of_it() -> None:
    body = to_body(example(workflow_id="__probe__"))
    async with open_door() as door:
        for headers in (None, None, {"content-type": "application/json"}):
            await door.post(body, headers)
        door.publisher.fault = "Kafka is away"
        with structlog.testing.capture_logs() as logs:
            await door.post(to_body(example(workflow_id="__probe__", task_id="2")))

        of_probes = {outcome: count for outcome in OUTCOMES if (count := door.outcome(outcome, "probe"))}
        of_provider = {outcome: count for outcome in OUTCOMES if (count := door.outcome(outcome))}
        assert of_probes == {"accepted": 1, "duplicate": 1, "broker_unavailable": 1}
        assert of_provider == {"bad_signature": 1}, "anybody can write __probe__ into a body"
        assert [line["log_level"] for line in logs if line["event"] == "callback"] == ["info"]


async def test_an_accepted_probe_is_logged_for_debugging_only() -> None:
    async with open_door() as door:
        with structlog.testing.capture_logs() as logs:
            await door.post(to_body(example(workflow_id="__probe__")))

        assert [line["log_level"] for line in logs if line["event"] == "callback"] == ["debug"]


async def test_a_duplicate_is_answered_200_and_published_once() -> None:
    async with open_door() as door:
        first, second = await door.post(), await door.post()

        assert (first.content, second.status_code, second.content) == (b"{}", 200, b"{}")
        assert len(door.publisher.records(CALLBACKS)) == 1
        assert door.outcome("duplicate") == 1


async def test_twins_in_flight_are_published_once_and_all_acknowledged() -> None:
    async with open_door() as door:
        door.publisher.hold = asyncio.Event()
        posts = [asyncio.create_task(door.post()) for _ in range(20)]
        await wait_until(lambda: door.gateway.in_flight.requests == 20, PATIENCE_S, "twenty posts in flight")
        door.publisher.hold.set()

        assert [response.status_code for response in await asyncio.gather(*posts)] == [200] * 20
        assert len(door.publisher.records(CALLBACKS)) == 1


async def test_a_callback_that_failed_is_published_when_it_comes_again() -> None:
    async with open_door() as door:
        door.publisher.fault = "Kafka: away"
        refused = await door.post()
        door.publisher.fault = ""
        accepted = await door.post()

        assert_problem(refused, 503, "broker_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert accepted.status_code == 200
        assert len(door.publisher.records(CALLBACKS)) == 1
        assert door.outcome("broker_unavailable") == 1


async def test_a_broker_that_does_not_answer_gives_503_within_the_deadline() -> None:
    async with open_door(publish_timeout_s=0.05) as door:
        door.publisher.hold = asyncio.Event()

        assert_problem(await door.post(), 503, "broker_unavailable")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-AIRudder-Sign": "wrong"},
        {"X-AIRudder-Sign": "0" * 64},
        {"X-AIRudder-Sign": "\xff".encode("latin-1").decode("latin-1")},
    ],
)
async def test_no_or_a_wrong_signature_is_401_and_kept_in_quarantine(headers: dict[str, str]) -> None:
    async with open_door() as door:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await door.hook.post(WEBHOOK, content=BODY, headers=[(b"content-type", b"application/json"), *raw])

        (kept,) = door.publisher.records(QUARANTINE)
        assert_problem(response, 401, "bad_signature")
        assert isinstance(kept.record, QuarantinedRequest)
        assert (kept.record.reason, kept.record.body) == ("bad_signature", BODY)
        assert (kept.record.method, kept.record.path) == ("POST", WEBHOOK)
        assert response.json()["detail"].startswith(kept.record.detail)
        assert kept.record.remote_address == "192.0.2.7"
        assert kept.key == kept.record.event_id
        assert not door.publisher.records(CALLBACKS)
        assert door.outcome("bad_signature") == 1


@pytest.mark.parametrize(
    ("scheme", "named"),
    [
        ("auto", "X-Own or webhook-signature"),
        ("hmac-sha256", "X-Own"),
    ],
)
async def test_a_missing_signature_is_reported_with_the_header_that_was_looked_for(scheme: str, named: str) -> None:
    async with open_door(signature_header="X-Own", signature_scheme=scheme) as door:
        problem = assert_problem(await door.post(headers={"Content-Type": "application/json"}), 401, "bad_signature")

    assert problem["detail"] == f"signature: missing; the header looked for is {named}"


async def test_our_own_trouble_is_not_explained_to_the_sender() -> None:
    async with open_door() as door:
        door.publisher.fault = "Kafka at 10.0.0.7:9093: authentication failed for user gateway"
        problem = assert_problem(await door.post(), 503, "broker_unavailable")

    assert "10.0.0.7" not in problem["detail"]
    assert "user gateway" not in problem["detail"]


async def test_a_doubled_signature_header_is_401_even_when_both_are_right() -> None:
    async with open_door() as door:
        headers = [*signed(BODY).items(), ("X-AIRudder-Sign", signed(BODY)["X-AIRudder-Sign"])]
        response = await door.hook.post(WEBHOOK, content=BODY, headers=headers)

        assert_problem(response, 401, "bad_signature")


async def test_the_quarantine_keeps_the_signature_and_no_credentials() -> None:
    async with open_door() as door:
        secrets = {"Authorization": "Bearer t", "Cookie": "c=1", "X-Api-Key": "a", "X-Auth-Token": "b"}
        await door.post(headers={"content-type": "application/json", "X-AIRudder-Sign": "wrong", **secrets})

        record = door.publisher.records(QUARANTINE)[0].record
        assert isinstance(record, QuarantinedRequest)
        assert record.headers["x-airudder-sign"] == "wrong"
        assert not {name.lower() for name in secrets} & set(record.headers)


async def test_unverified_requests_over_the_daily_cap_are_counted_and_not_kept() -> None:
    async with open_door(quarantine_bytes_per_day=2 * len(BODY)) as door:
        for _ in range(3):
            assert (await door.post(headers={"content-type": "application/json"})).status_code == 401

        assert len(door.publisher.records(QUARANTINE)) == 1
        assert door.quarantined("bad_signature", "kept") == 1
        assert door.quarantined("bad_signature", "over_cap") == 2


async def test_a_bad_signature_is_401_also_while_kafka_is_away() -> None:
    async with open_door() as door:
        door.publisher.fault = "Kafka: away"

        assert_problem(await door.post(headers={"content-type": "application/json"}), 401, "bad_signature")
        assert door.quarantined("bad_signature", "lost") == 1


async def test_a_verified_body_that_is_no_callback_is_422_with_every_fault_and_kept_in_quarantine() -> None:
    body = to_body({**with_detail(call_id={"callee": 447700900123}), "workflow_id": None})
    async with open_door() as door:
        response = await door.post(body)

        document = assert_problem(response, 422, "malformed")
        assert document["errors"] == [
            {"path": "workflow_id", "message": "expected string or integer, got null"},
            {"path": "details[0].call_id", "message": "expected string or integer, got object"},
        ]
        (kept,) = door.publisher.records(QUARANTINE)
        assert isinstance(kept.record, QuarantinedRequest)
        assert (kept.record.reason, kept.record.body) == ("malformed", body)
        assert "447700900123" not in kept.record.detail
        assert door.outcome("malformed") == 1


async def test_an_unreadable_body_that_cannot_be_kept_now_is_503_so_that_it_comes_again() -> None:
    async with open_door() as door:
        door.publisher.fault = "Kafka: away"

        assert_problem(await door.post(b"{}"), 503, "broker_unavailable")


async def test_nothing_is_parsed_before_the_signature_holds() -> None:
    async with open_door() as door:
        response = await door.post(b"not json", headers={"content-type": "application/json"})

        assert_problem(response, 401, "bad_signature")


async def test_nothing_is_looked_up_before_the_signature_holds() -> None:
    async with open_door() as door:
        await door.post()

        assert_problem(await door.post(headers={"content-type": "application/json"}), 401, "bad_signature")


async def test_size_comes_before_rate_and_rate_before_the_signature() -> None:
    async with open_door(rate_global_per_s=0.5, max_body_bytes=10_000) as door:
        await door.post()

        assert_problem(await door.post(bytes(10_001)), 413, "too_large")
        assert_problem(await door.post(headers={"content-type": "application/json"}), 429, "rate_limited")


async def test_a_body_over_the_limit_is_413_declared_or_chunked() -> None:
    async def chunked() -> AsyncIterator[bytes]:
        for position in range(0, len(BODY), 100):
            yield BODY[position : position + 100]

    async with open_door(max_body_bytes=len(BODY) - 1) as door:
        declared = await door.post()
        streamed = await door.post(chunked(), headers=signed(BODY))

        for response in (declared, streamed):
            assert_problem(response, 413, "too_large")
            assert response.headers["connection"] == "close"
        assert door.outcome("too_large") == 2


async def test_a_chunked_body_is_joined_and_verified() -> None:
    async def chunked() -> AsyncIterator[bytes]:
        for byte in BODY:
            yield bytes([byte])

    async with open_door() as door:
        assert (await door.post(chunked(), headers=signed(BODY))).status_code == 200


async def test_a_record_too_large_for_its_topic_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.fakes.MAX_RECORD_BYTES", 100)
    async with open_door() as door:
        assert_problem(await door.post(), 413, "too_large")


@pytest.mark.parametrize(
    "changes",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
    ],
)
async def test_what_is_not_plain_json_by_its_headers_is_415(changes: dict[str, str]) -> None:
    async with open_door() as door:
        assert_problem(await door.post(headers={**signed(BODY), **changes}), 415, "unsupported_type")
        assert door.outcome("unsupported_type") == 1


async def test_what_is_415_is_kept_as_it_came_with_the_reason() -> None:
    packed = gzip.compress(BODY)
    async with open_door() as door:
        await door.post(headers={**signed(BODY), "content-type": "text/json"})
        await door.post(packed, {**signed(BODY), "content-encoding": "gzip"})
        await door.post(b"", {"content-type": "text/plain"})

        kept = [stored.record for stored in door.publisher.records(QUARANTINE)]
        assert [(one.reason, one.body) for one in kept if isinstance(one, QuarantinedRequest)] == [
            ("unsupported_type", BODY),
            ("unsupported_type", packed),
        ]


async def test_what_is_415_and_signed_is_kept_over_the_cap_and_else_comes_again() -> None:
    headers = {**signed(BODY), "content-type": "text/plain"}
    async with open_door(quarantine_bytes_per_day=0) as door:
        signed_ = await door.post(headers=headers)
        unsigned = await door.post(headers={"content-type": "text/plain"})
        door.publisher.fault = "Kafka: away"
        away = await door.post(headers=headers)

        assert [answer.status_code for answer in (signed_, unsigned, away)] == [415, 415, 503]
        assert (door.quarantined("unsupported_type", "kept"), door.quarantined("unsupported_type", "over_cap")) == (
            1,
            1,
        )


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_with_parameters_or_in_capitals_is_json(content_type: str) -> None:
    async with open_door() as door:
        assert (await door.post(headers={**signed(BODY), "content-type": content_type})).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405(method: str) -> None:
    async with open_door() as door:
        response = await door.hook.request(method, WEBHOOK)

        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", WEBHOOK + "/", "/webhooks/airudder", "/metrics", "/livez", "/%ff"])
async def test_another_path_is_404_and_never_a_redirect(path: str) -> None:
    async with open_door() as door:
        assert_problem(await door.hook.post(path, content=BODY, headers=signed(BODY)), 404, "not_found")


async def test_a_body_that_comes_too_slowly_is_408() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield BODY[:10]
        await asyncio.Event().wait()

    async with open_door(body_timeout_s=0.01) as door:
        assert_problem(await door.post(stalled(), headers=signed(BODY)), 408, "slow_body")
        assert door.outcome("slow_body") == 1


async def test_over_the_in_flight_limit_is_429_with_retry_after() -> None:
    async with open_door(max_in_flight_requests=1) as door:
        door.publisher.hold = asyncio.Event()
        first = asyncio.create_task(door.post())
        await wait_until(lambda: door.publisher.waiting, PATIENCE_S, "the first post to be publishing")
        second = await door.post()
        door.publisher.hold.set()

        assert_problem(second, 429, "limited")
        assert int(second.headers["retry-after"]) >= 1
        assert (await first).status_code == 200
        assert (await door.post(to_body(example(status="after")))).status_code == 200


async def test_an_unexpected_error_is_500_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_door() as door:

        async def explode(request: Any) -> None:
            raise RuntimeError("+447700900123")

        monkeypatch.setattr(door.gateway.reception, "receive", explode)
        response = await door.post()

        assert_problem(response, 500, "internal_error")
        assert "447700900123" not in response.text
        assert door.outcome("internal_error") == 1


@pytest.mark.parametrize("mode", ["report", "off"])
async def test_without_enforcement_unsigned_callbacks_are_published_as_signed_by_none(mode: str) -> None:
    async with open_door(signature_mode=mode) as door:
        response = await door.post(headers={"content-type": "application/json"})

        record = door.publisher.records(CALLBACKS)[0].record
        assert response.status_code == 200
        assert isinstance(record, Callback)
        assert (record.signature_scheme, record.signature_key_id) == ("none", None)


async def test_report_mode_still_says_who_signed() -> None:
    async with open_door(signature_mode="report") as door:
        await door.post()

        record = door.publisher.records(CALLBACKS)[0].record
        assert isinstance(record, Callback)
        assert record.signature_key_id == KEY.id


async def test_received_is_the_sum_of_outcomes() -> None:
    async with open_door() as door:
        await door.post()
        await door.post()
        await door.post(b"{}")
        await door.post(headers={})

        assert sum(door.outcome(outcome) for outcome in OUTCOMES) == 4


async def test_ready_and_live_tell_different_things() -> None:
    async with open_door() as door:
        ready = await door.ops.get("/readyz")
        door.publisher.fault = "Kafka: away"
        away = await door.ops.get("/readyz")
        door.publisher.fault = ""
        door.gateway.is_draining = True
        stopping = await door.ops.get("/readyz")

        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": [], "notes": []})
        assert away.status_code == 503
        assert away.json() == {"status": "not ready", "reasons": ["Kafka: away"], "notes": []}
        assert (stopping.status_code, stopping.json()["reasons"]) == (503, ["stopping"])
        assert (await door.ops.get("/livez")).status_code == 200
        assert (await door.ops.get("/nope")).status_code == 404


async def test_every_metric_is_exposed_and_none_has_an_id_or_number() -> None:
    async with open_door() as door:
        await door.post()
        await door.hook.get("/surprise/+447700900123")
        text = (await door.ops.get("/metrics")).text

    for name in (
        'webhook_requests_total{outcome="accepted",source="airudder"} 1.0',
        'webhook_publish_duration_seconds_count{topic="airudder.callbacks.v1"} 1.0',
        "webhook_in_flight 0.0",
        "webhook_in_flight_limit 500.0",
        'webhook_signatures_total{key_id="k1"} 1.0',
        'webhook_quarantined_total{outcome="kept",reason="malformed"} 0.0',
        f'http_server_request_duration_seconds_count{{http_request_method="POST",http_response_status_code="200",'
        f'http_route="{WEBHOOK}"}} 1.0',
        'http_response_status_code="404",http_route="other"} 1.0',
        "gateway_ready 1.0",
        "process_resident_memory_bytes",
    ):
        assert name in text
    assert "447700900123" not in text
    assert "ic1689265" not in text


async def test_one_log_line_per_callback_and_nothing_personal_or_secret_in_any() -> None:
    planted = with_detail(callee="+447700900123", call_id="ic-planted")
    planted["details"][0]["question_answer"][0]["answer_text"] = "my planted transcript"
    wrong = with_detail(call_id=[447700900123, "my planted transcript"])
    odd = with_detail(callee=447700900123, duration="my planted transcript")
    with structlog.testing.capture_logs() as logs:
        async with open_door() as door:
            await door.post(to_body(planted))
            await door.post(to_body(odd))
            await door.post(to_body(wrong))
            await door.post(to_body(planted), headers={"content-type": "application/json"})
            door.publisher.fault = "Kafka: away"
            await door.post()

    lines = [line for line in logs if line["event"] == "callback"]
    accepted = lines[0]
    outcomes = ["accepted", "accepted", "malformed", "bad_signature", "broker_unavailable"]
    assert [line["outcome"] for line in lines] == outcomes
    assert set(accepted) == {
        "event", "log_level", "kind", "event_id", "outcome", "topic", "partition", "offset", "duration_ms",
    }  # fmt: skip
    text = json.dumps(logs)
    for secret in ("447700900123", "planted transcript", KEY.secret.decode(), signed(BODY)["X-AIRudder-Sign"]):
        assert secret not in text
