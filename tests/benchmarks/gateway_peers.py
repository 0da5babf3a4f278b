"""What the gateway is held against, each a uvicorn process: `python -m tests.benchmarks.gateway_peers NAME PORT TOPIC`.

bare: Starlette that reads the body, counts nothing, checks nothing and answers {}: nothing in Python on Starlette and
uvicorn is faster and still takes the body. naive: what a tutorial has, FastAPI with pydantic models and aiokafka's
send_and_wait with acks=all, as JSON; it verifies no signature, has no limits, no duplicate check, no metrics, no log.
naive-avro: the same with fastavro instead of JSON. lean: the task and nothing else, by our own fastest code: body,
HMAC, strict JSON, event id, Avro, headers, one acknowledged record; no deadline, limit, quarantine, duplicate check,
metric or log. From bare to lean is what the task costs, from lean to the gateway what its safety does.
"""

from __future__ import annotations

import hmac
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from io import BytesIO
from typing import Any

import fastavro
import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.http.app import PostDispatch
from gateway.http.protocol import WebhookProtocol
from gateway.publishing.kafka import BATCH_BYTES, LINGER_MS
from gateway.webhooks.kinds import CALL_COMPLETION
from gateway.webhooks.mapping import Envelope
from schemas import codec
from schemas.headers import TraceContext
from tests.support.load.bodies import HEADER
from tests.support.requests import KEY, WEBHOOK

_SIGN_HEADER = HEADER.lower().encode()
_ANSWER_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Question(BaseModel):
    question_name: str
    answer: str
    answer_text: str
    status: str
    answer_text_slot: str
    var: str
    verification_results: str
    question_content: str
    question_type: str
    whether_answer: str


class Redial(BaseModel):
    call_id: str
    call_start_time: str
    ring_type: str
    ring_time: int
    hangup_type: str
    result_label: str
    callee_number: str
    caller_number: str


class Detail(BaseModel):
    id: int
    callee: str
    result: str
    result_label: str
    duration: int
    hangup_type: str
    ring_type: str | None
    question_answer: list[Question]
    NerSlots: dict[str, str]
    robot_hash: str
    call_id: str
    call_times: int
    call_start_time: str
    call_end_time: str
    ring_time: int
    talk_round: int
    redail_call: list[Redial]
    intention_description: str
    EventLabel: dict[str, str]
    caller_number: str
    CaseID: str
    Variables: dict[str, str]


class Delivery(BaseModel):
    workflow_id: str
    workflow_name: str
    nodetask_id: str
    nodetask_name: str
    task_id: str
    task_name: str
    status: str
    created_at: str
    repeat_interval: int
    repeat_number: int
    robot_hash: str
    robot_method: str
    sip_line: str
    schedule_start_time: str
    schedule_end_time: str
    details: list[Detail]


def bare() -> Starlette:
    async def receive(request: Request) -> Response:
        await request.body()
        return JSONResponse({})

    return Starlette(routes=[Route(WEBHOOK, receive, methods=["POST"])])


def naive(topic: str, encode: Callable[[Delivery], bytes]) -> FastAPI:
    producers: list[Any] = []
    app = FastAPI(lifespan=_with_producer(producers))

    async def receive(delivery: Delivery) -> dict[str, str]:
        key = delivery.details[0].call_id.encode()
        await producers[0].send_and_wait(topic, encode(delivery), key=key)
        return {}

    handler: Callable[..., Awaitable[dict[str, str]]] = receive
    app.post(WEBHOOK)(handler)
    return app


def lean(topic: str) -> PostDispatch:
    producers: list[Any] = []

    async def webhook(scope: Scope, receive: Receive, send: Send) -> None:
        body, is_more = b"", True
        while is_more:
            message = await receive()
            body += message["body"]
            is_more = message["more_body"]
        is_signed = hmac.compare_digest(hmac.digest(KEY.secret, body, "sha256").hex().encode(), _sign_of(scope))
        if is_signed:
            await publish(body)
        await send({"type": "http.response.start", "status": 200 if is_signed else 401, "headers": _ANSWER_HEADERS})
        await send({"type": "http.response.body", "body": b"{}"})

    async def publish(body: bytes) -> None:
        event_id = sha256(body).hexdigest()
        envelope = Envelope(event_id, time.time_ns() // 1_000_000, "hmac-sha256", KEY.id)
        record = CALL_COMPLETION.read(body, envelope)
        key, headers = CALL_COMPLETION.key_and_headers(record, envelope, TraceContext(event_id[:32]))
        await producers[0].send_and_wait(topic, codec.encode(1, record), key=key.encode(), headers=headers)

    as_ours = {"enable_idempotence": True, "compression_type": "zstd"}
    sizes = {"linger_ms": LINGER_MS, "max_batch_size": BATCH_BYTES}
    return PostDispatch({WEBHOOK: webhook}, Starlette(lifespan=_with_producer(producers, **as_ours, **sizes)))


def _with_producer(producers: list[Any], **settings: Any) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan in which a producer stands in the list."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all", **settings)
        await producer.start()
        producers.append(producer)
        yield
        await producer.stop()

    return lifespan


def _sign_of(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == _SIGN_HEADER), b"")


def as_json(delivery: Delivery) -> bytes:
    return delivery.model_dump_json().encode()


def as_avro(delivery: Delivery) -> bytes:
    datum = {**delivery.model_dump(), "event_id": "", "received_at": 0, "kind": "", "signature_scheme": "none"}
    for detail in datum["details"]:
        for sent, ours in (("NerSlots", "ner_slots"), ("redail_call", "redial_calls"), ("EventLabel", "event_label")):
            detail[ours] = detail.pop(sent)
        detail["case_id"], detail["variables"] = detail.pop("CaseID"), detail.pop("Variables")
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, codec.parsed_schema("Callback"), datum)
    return buffer.getvalue()


APPS: dict[str, Callable[[str], Any]] = {
    "bare": lambda topic: bare(),
    "lean": lean,
    "naive": lambda topic: naive(topic, as_json),
    "naive-avro": lambda topic: naive(topic, as_avro),
}


def main() -> None:
    name, port, topic = sys.argv[1:]
    http: Any = WebhookProtocol if name == "lean" else "auto"  # ours writes an answer at once
    uvicorn.run(APPS[name](topic), port=int(port), access_log=False, log_level="warning", loop="uvloop", http=http)


if __name__ == "__main__":
    main()
