"""The load generator against servers that close connections: it sends nothing on them, so it breaks nothing itself."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from unittest.mock import Mock

import pytest

from tests.support.load.connection import LoadConnection
from tests.support.load.generator import OpenLoop
from tests.support.load.spec import Spec
from tests.support.waiting import PATIENCE_S, wait_until

ANSWER = b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\ncontent-length: 2\r\n\r\n{}"


class Closing:
    """A server that answers one request of each connection, says that it closes, and ignores what comes after."""

    def __init__(self) -> None:
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(asyncio.IncompleteReadError):  # a connection that was never used
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(ANSWER)
            await reader.read()
        writer.close()
        await writer.wait_closed()
        self.open -= 1


@pytest.fixture
def _gc_goes_on() -> Iterator[None]:
    """The generator turns it off for its process."""
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("_gc_goes_on")
@pytest.mark.parametrize("connections", [2, 64])
async def test_a_connection_that_says_it_closes_is_not_used_again(connections: int) -> None:
    closing = Closing()
    async with await asyncio.start_server(closing.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        load = OpenLoop(Spec(port, "1kB", "closing", seconds=1, warm_up_s=0, rate=200, connections=connections))
        result = await asyncio.wait_for(load.run(), 30)
        for connection in load._free:
            connection.close()
        await wait_until(lambda: not closing.open, PATIENCE_S, "every connection to be closed")

    assert (result.unanswered, result.broken) == (0, 0)
    assert result.statuses["429"] > 100


def test_nothing_is_sent_on_a_connection_that_was_closed_while_it_was_free() -> None:
    load = OpenLoop(Spec(1, "1kB", "closed", seconds=1, rate=10, connections=0))
    closed = LoadConnection(load)
    closed.connection_made(Mock(spec=asyncio.Transport, is_closing=lambda: True))

    load._dispatch(0)

    assert list(load._waiting) == [0]
    assert not load._free


def test_a_farewell_on_a_connection_where_nothing_was_asked_is_no_answer() -> None:
    load = OpenLoop(Spec(1, "1kB", "idle", seconds=1, rate=10, connections=0))
    idle, transport = LoadConnection(load), Mock(spec=asyncio.Transport)
    idle.connection_made(transport)

    idle.data_received(ANSWER)

    assert (load._answered, load._statuses.total()) == (0, 0)
    transport.close.assert_called_once()
