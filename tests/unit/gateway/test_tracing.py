"""A request and what it sends are spans; the sender decides, and where it says nothing the body names the trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from schemas.headers import Headers
from schemas.topics import CALLBACKS, QUARANTINE
from tests.support.deliveries import to_body, with_detail
from tests.support.door import BODY, Door, open_door
from tests.support.requests import WEBHOOK, signed
from tests.support.spans import KeptSpans, id_of, parent_of, trace_id_of

TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{SENDER}-01", "tracestate": "vendor=1"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{SENDER}-00"}
POST, SEND = f"POST {WEBHOOK}", f"send {CALLBACKS.name}"


def headers_of(door: Door, number: int = 0) -> dict[str, str]:
    headers: Headers = door.publisher.stored[number].headers
    return {name: value.decode() for name, value in headers}


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_the_record_names_the_span_that_sent_it_whose_parent_is_the_request_of_the_sender() -> None:
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        await door.post(headers={**signed(BODY), **SAMPLED})
        headers = headers_of(door)

    send, server = spans.finished()
    assert (server.name, server.kind.name, parent_of(server)) == (POST, "SERVER", SENDER)
    assert (send.name, send.kind.name, parent_of(send)) == (SEND, "PRODUCER", id_of(server))
    assert (headers["traceparent"], headers["tracestate"]) == (f"00-{TRACE}-{id_of(send)}-01", "vendor=1")
    assert attributes_of(server)["http.response.status_code"] == 200
    assert attributes_of(send)["messaging.message.id"] == headers["ce_id"]
    assert attributes_of(send)["messaging.kafka.offset"] == 0


async def test_a_trace_that_begins_here_has_the_id_of_the_body() -> None:
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        await door.post()
        headers = headers_of(door)

    send, server = spans.finished()
    assert trace_id_of(server) == trace_id_of(send) == headers["ce_id"][:32]
    assert parent_of(server) == ""
    assert headers["traceparent"] == f"00-{headers['ce_id'][:32]}-{id_of(send)}-01"


@pytest.mark.parametrize(
    ("sampler", "sent"),
    [
        ("parentbased_always_on", UNSAMPLED),
        ("parentbased_always_off", {}),
        ("always_off", {}),
        ("always_off", UNSAMPLED),
    ],
)
async def test_what_is_not_recorded_is_as_without_tracing(sampler: str, sent: dict[str, str]) -> None:
    spans = KeptSpans("gateway", sampler=sampler)
    headers = []
    for some in (spans, None):
        async with open_door(spans=some) as door:
            await door.post(headers={**signed(BODY), **sent})
            headers.append({**headers_of(door), "ce_time": ""})

    assert headers[0] == headers[1]
    assert spans.finished() == []


async def test_a_sender_whose_trace_is_left_out_here_is_not_recorded_behind_us_either() -> None:
    spans = KeptSpans("gateway", sampler="always_off")
    async with open_door(spans=spans) as door:
        await door.post(headers={**signed(BODY), **SAMPLED})
        headers = headers_of(door)

    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-00")
    assert headers["tracestate"] == "vendor=1"


async def test_a_failure_is_one_of_both_spans_and_a_refusal_of_none() -> None:
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        assert (await door.post(headers={"content-type": "application/json"})).status_code == 401
        door.publisher.fault = "away"
        assert (await door.post()).status_code == 503

    kept, refused, failed, unavailable = spans.finished()
    assert (kept.name, refused.name) == (f"send {QUARANTINE.name}", POST)
    assert [span.status.status_code for span in (kept, refused)] == [StatusCode.UNSET] * 2
    assert attributes_of(refused)["http.response.status_code"] == 401
    assert [span.status.status_code for span in (failed, unavailable)] == [StatusCode.ERROR] * 2
    assert [attributes_of(span)["error.type"] for span in (failed, unavailable)] == ["PublishError", "503"]


async def test_a_repeat_is_a_request_that_sends_nothing() -> None:
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        for _ in range(2):
            await door.post(headers={**signed(BODY), **SAMPLED})
        assert len(door.publisher.stored) == 1

    assert [span.name for span in spans.finished()] == [SEND, POST, POST]


async def test_requests_at_the_same_time_keep_to_their_own_traces() -> None:
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        await asyncio.gather(*(door.post(to_body(with_detail(call_id=f"call-{number}"))) for number in range(20)))
        sent = [headers_of(door, number) for number in range(20)]

    finished = spans.finished()
    servers = {trace_id_of(span): id_of(span) for span in finished if span.name == POST}
    sends = {trace_id_of(span): span for span in finished if span.name == SEND}
    assert servers.keys() == sends.keys() == {headers["ce_id"][:32] for headers in sent}
    assert all(parent_of(span) == servers[trace_id] for trace_id, span in sends.items())


async def test_nothing_that_a_sender_chooses_is_in_a_span() -> None:
    chosen = "+15550100"
    spans = KeptSpans("gateway")
    async with open_door(spans=spans) as door:
        await door.hook.request(chosen, f"/{chosen}?{chosen}", headers={chosen.strip("+"): chosen}, content=chosen)
        await door.hook.get(WEBHOOK)
        await door.post(to_body(with_detail(callee=chosen, caller_number=chosen)))

    finished = spans.finished()
    assert [span.name for span in finished] == ["HTTP", f"GET {WEBHOOK}", SEND, POST]
    assert chosen not in "".join(span.to_json() for span in finished)
