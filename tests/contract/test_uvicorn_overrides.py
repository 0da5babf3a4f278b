"""A fence around what we override in uvicorn, and around what of it our code depends on.

When a hash differs, uvicorn has changed. Read the method and its users, then take the new hash. The users are
`gateway/http/strict.py`, `gateway/http/protocol.py`, `gateway/serving/http_servers.py`, `streams/monitor/app.py`,
`streams/monitor/http_limits.py` and `streams/worker/ops.py`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.http.protocol import WebhookProtocol
from gateway.http.strict import StrictProtocol
from streams.monitor.http_limits import BoundedProtocol

LEANED_ON = {
    HttpToolsProtocol: ("timeout_keep_alive_handler", "_start_asgi_task", "_unset_keepalive_if_required"),
    RequestResponseCycle: ("__init__", "run_asgi", "send", "receive"),
    FlowControl: ("pause_reading", "resume_reading", "pause_writing", "drain"),
    uvicorn.Server: ("run", "capture_signals"),
}
"""Besides what is overridden: what answers, order, idling and the end of a server depend on."""

PINNED: dict[str, str] = {
    "FlowControl.drain": "4bda6b61c277ae87",
    "FlowControl.pause_reading": "7c27388bb984e9ed",
    "FlowControl.pause_writing": "93d4a08a9f2da9d6",
    "FlowControl.resume_reading": "a0429d30857e8488",
    "HttpToolsProtocol.__init__": "4f08999410347141",
    "HttpToolsProtocol._start_asgi_task": "9c08c2571ae9b038",
    "HttpToolsProtocol._unset_keepalive_if_required": "00a6a4e47214e68e",
    "HttpToolsProtocol.connection_lost": "c91a4c9bf2e29c55",
    "HttpToolsProtocol.connection_made": "6efb565ff3d36b91",
    "HttpToolsProtocol.data_received": "010a7ae59a5d3b1a",
    "HttpToolsProtocol.eof_received": "5652627579a02369",
    "HttpToolsProtocol.on_body": "dba9c32aeba35b6a",
    "HttpToolsProtocol.on_header": "65d62c044f61fdbd",
    "HttpToolsProtocol.on_headers_complete": "1ea8589acfad92d8",
    "HttpToolsProtocol.on_message_begin": "96d377fdc7c2baef",
    "HttpToolsProtocol.on_message_complete": "1fbad42dc31fc01f",
    "HttpToolsProtocol.on_response_complete": "64e254f28e389e76",
    "HttpToolsProtocol.on_url": "37be44e962b04ca8",
    "HttpToolsProtocol.shutdown": "d7351fa33f00d430",
    "HttpToolsProtocol.timeout_keep_alive_handler": "8b53bf5f2e202970",
    "RequestResponseCycle.__init__": "4d2f220910c33c12",
    "RequestResponseCycle.receive": "8124ae006be71184",
    "RequestResponseCycle.run_asgi": "0f33f2449a444bc2",
    "RequestResponseCycle.send": "abdd8601b326a8da",
    "Server.capture_signals": "e1bbcd4770d1c887",
    "Server.run": "239e0133d4307e38",
}


def overridden() -> Iterator[str]:
    for kind in (StrictProtocol, WebhookProtocol, BoundedProtocol):
        yield from (name for name in vars(kind) if inspect.isfunction(vars(HttpToolsProtocol).get(name)))


def fenced() -> dict[str, Any]:
    found = {f"HttpToolsProtocol.{name}": vars(HttpToolsProtocol)[name] for name in overridden()}
    found["HttpToolsProtocol.__init__"] = vars(HttpToolsProtocol)["__init__"]
    return found | {f"{kind.__name__}.{name}": vars(kind)[name] for kind, names in LEANED_ON.items() for name in names}


@pytest.mark.parametrize("name", sorted(fenced()))
def test_uvicorn_is_as_it_was_when_our_protocol_was_written(name: str) -> None:
    source = inspect.getsource(fenced()[name])

    assert PINNED.get(name) == hashlib.sha256(source.encode()).hexdigest()[:16]


def test_nothing_is_pinned_that_is_not_fenced() -> None:
    assert PINNED.keys() == fenced().keys()


def test_the_parser_says_where_an_offer_to_upgrade_ends_and_why_a_handler_refused() -> None:
    class Refusing:
        def on_url(self, url: bytes) -> None:
            raise ValueError("ours")

    offer = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        httptools.HttpRequestParser(object()).feed_data(memoryview(offer + b"rest"))
    with pytest.raises(httptools.HttpParserCallbackError) as refused:
        httptools.HttpRequestParser(Refusing()).feed_data(offer)

    assert upgrade.value.args == (len(offer),)
    assert isinstance(refused.value.__context__, ValueError)
