"""What a stranger without a key can do to a port, from an address of its own, as long as it is let."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.support.requests import WEBHOOK

STRANGER = "127.0.0.66"
HEAD = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"a" * 16_384
GIVE_UP = (ConnectionError, TimeoutError, OSError)

Attack = Callable[[int], Coroutine[Any, Any, None]]  # port


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(STRANGER, 0))


def endless(start: bytes, more: bytes = BLOCK, connections: int = 2) -> Attack:
    """Connections that begin something and go on with it; closed, they come again."""

    async def one(port: int) -> None:
        while True:
            with contextlib.suppress(*GIVE_UP):
                _, writer = await _connect(port)
                try:
                    writer.write(start)
                    while True:
                        writer.write(more)
                        await writer.drain()
                        await asyncio.sleep(0)
                finally:
                    writer.close()
            await asyncio.sleep(0.01)

    async def attack(port: int) -> None:
        await asyncio.gather(*(one(port) for _ in range(connections)))

    return attack


def waiting(sent: bytes, connections: int, drip: bytes = b"") -> Attack:
    """So many connections that send something and then nothing, or a drop a second; closed, they come again."""

    async def one(port: int) -> None:
        while True:
            with contextlib.suppress(*GIVE_UP):
                reader, writer = await _connect(port)
                try:
                    writer.write(sent)
                    while True:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(1):
                                while await reader.read(4096):
                                    pass
                            break
                        writer.write(drip)
                finally:
                    writer.close()
            await asyncio.sleep(0.2)

    async def attack(port: int) -> None:
        await asyncio.gather(*(one(port) for _ in range(connections)))

    return attack


ATTACKS: dict[str, Attack] = {
    "100,000 headers": endless(HEAD + b"A: aaaaaaaaaaaaaaaa\r\n" * 100_000 + b"\r\n", b""),
    "a header without end": endless(HEAD + b"X-A: "),
    "headers without end": endless(HEAD, b"a: b\r\n" * 2000),
    "a URL without end": endless(b"GET /"),
    "a trailer without end": endless(CHUNKED + b"2\r\n{}\r\n0\r\nX-A: "),
    "a chunk extension without end": endless(CHUNKED + b"2;x="),
    "an offer without end": endless(b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: "),
    "500 unfinished bodies": waiting(HEAD + b"Content-Length: 1000\r\n\r\n{", 500),
    "500 bodies that drip": waiting(CHUNKED + b"1\r\n{\r\n", 500, b"1\r\n \r\n"),
    "500 heads without a body": waiting(HEAD + b"Content-Length: 1000\r\n\r\n", 500),
    "1,100 refused and idle": waiting(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 1100),
    "3,000 requests in one piece, 60 times": waiting(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 3000, 60),
    "1,100 silent": waiting(b"", 1100),
    "1,100 half heads": waiting(HEAD, 1100, b"a"),
}


@asynccontextmanager
async def under(attack: Attack, port: int) -> AsyncIterator[None]:
    """While it goes on."""
    task = asyncio.create_task(attack(port))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
