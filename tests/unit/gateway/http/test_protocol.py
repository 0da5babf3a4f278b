"""The HTTP protocol on a transport in memory: answers leave in one piece, and none is kept back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.responses import JSONResponse, Response, StreamingResponse
from uvicorn.server import ServerState

from gateway.http.protocol import webhook_protocol
from tests.support.waiting import PATIENCE_S, wait_until

REQUEST = b"%s / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n%s\r\n"


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connection(app: Any) -> tuple[Any, MemoryTransport]:
    """A protocol that serves the app, and the transport it writes to."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, server_header=False)
    protocol = webhook_protocol(5)(config=config, server_state=ServerState(), app_state={})
    transport = MemoryTransport()
    protocol.connection_made(transport)
    return protocol, transport


async def answered(protocol: Any) -> None:
    await wait_until(lambda: protocol.cycle.response_complete, PATIENCE_S, "the answer")
    protocol.connection_lost(None)


async def test_head_and_body_of_an_answer_leave_in_one_write() -> None:
    protocol, transport = connection(JSONResponse({"a": 1}))
    protocol.data_received(REQUEST % (b"POST", b"") + b"{}")
    await answered(protocol)

    (whole,) = transport.written
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"GET"])
@pytest.mark.parametrize("response", [Response(status_code=204), Response(b"text")])
async def test_an_answer_without_a_body_is_not_kept_back(method: bytes, response: Response) -> None:
    protocol, transport = connection(response)
    protocol.data_received(REQUEST % (method, b"") + b"{}")
    await answered(protocol)

    assert b"".join(transport.written).startswith(b"HTTP/1.1 20")


async def test_a_body_in_parts_follows_its_head_in_order() -> None:
    protocol, transport = connection(StreamingResponse(iter(["one", "two"])))
    protocol.data_received(REQUEST % (b"POST", b"") + b"{}")
    await answered(protocol)

    assert b"".join(transport.written).endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_a_sender_that_asks_before_its_body_is_told_to_go_on() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"{}"
        await Response(b"done")(scope, receive, send)

    protocol, transport = connection(app)
    protocol.data_received(REQUEST % (b"POST", b"expect: 100-continue\r\n"))
    await wait_until(lambda: transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"], PATIENCE_S, "100 Continue")
    protocol.data_received(b"{}")
    await answered(protocol)

    assert transport.written[-1].endswith(b"done")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_sender_that_has_just_gone_is_no_fault_of_ours(method: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """uvloop raises for it, and each was a traceback in the log: a stranger could fill it."""
    protocol, transport = connection(JSONResponse({}))

    def write(data: Any) -> None:
        raise RuntimeError("the handler is closed")

    transport.write = write  # type: ignore[method-assign]
    protocol.data_received(REQUEST % (method, b"") + b"{}")
    await answered(protocol)

    assert caplog.records == []
    assert transport.is_closed
