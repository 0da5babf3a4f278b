"""What one callback costs, counted and not timed, so that a busy machine does not change it.

A test that fails here says: something does more than it did. Either it need not, or the ceiling is raised on purpose.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.gateway import Gateway
from gateway.http.app import create_app
from gateway.settings import GatewaySettings
from tests.support.fakes import FakePublisher
from tests.support.load.asgi import EncodingPublisher, deliver, prepared
from tests.support.load.bodies import Requests
from tests.support.requests import KEY

CALLS = 274  # of Python and C functions, from the ASGI server to the answer and back: 266 when this was written
ONCE = ("Decoder.decode", "openssl_sha256", "hmac_digest", "encode_once")
RECORD_BYTES = 1890  # key, value and headers of the example, before compression: 1857 since every field is nullable
WARM_UP = 3  # caches fill


class Calls:
    """Counts the functions called while it is entered, by their name; in this thread."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()

    def __enter__(self) -> Calls:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.by_name[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            self.by_name[argument.__qualname__] += 1


async def test_a_callback_is_verified_read_and_encoded_once_and_with_few_calls() -> None:
    publisher = EncodingPublisher()
    app = create_app(Gateway(GatewaySettings(signing_keys=(KEY,)), publisher))
    requests = Requests("5kB", "work")
    for number in range(WARM_UP):
        await deliver(app, requests, number)
    scope, receive, send, statuses = prepared(requests, WARM_UP)
    with capture_logs(), Calls() as calls:  # without writing the line of log
        await app(scope, receive, send)

    assert statuses == [200]
    assert {name: calls.by_name[name] for name in ONCE} == dict.fromkeys(ONCE, 1)
    assert calls.by_name.total() <= CALLS, "\n".join(f"{n} {c}" for c, n in calls.by_name.most_common())
    assert publisher.sizes[-1] <= RECORD_BYTES


@pytest.mark.parametrize("status", [200, 401, 413, 503, 504])
async def test_what_becomes_of_a_callback_leaves_no_garbage_cycle_that_would_keep_its_body(status: int) -> None:
    publisher = FakePublisher(timeout_s=0.001)
    app = create_app(Gateway(GatewaySettings(signing_keys=(KEY,)), publisher))
    requests = Requests("5kB", "cycles")
    publisher.fault = "Kafka: away" if status == 503 else ""
    publisher.hold = asyncio.Event() if status == 504 else None  # answered 503 after the deadline
    changed = {401: (b"x-airudder-sign", b"00"), 413: (b"content-length", b"99999999")}.get(status)
    await deliver(app, requests, 0, min(status, 503), changed)
    gc.collect()
    gc.disable()
    try:
        await deliver(app, requests, 1, min(status, 503), changed)

        assert gc.collect() == 0
    finally:
        gc.enable()
