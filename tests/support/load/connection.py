"""One keep-alive connection of the load generator."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class RequestSource(ABC):
    """Who has requests to send, and hears what becomes of them."""

    @abstractmethod
    def is_free(self, connection: LoadConnection) -> None:
        """A connection is there to send on."""

    @abstractmethod
    def is_answered(self, connection: LoadConnection, number: int, status: str) -> None:
        """The request of that number has its answer."""

    @abstractmethod
    def is_lost(self, connection: LoadConnection) -> None:
        """The connection is gone, and a request under way on it is broken."""


class LoadConnection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, sender: RequestSource) -> None:
        self._sender = sender
        self._buffer = b""
        self.number = -1
        self.idle_since_s = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are, without saying so
        self._sender.is_free(self)

    def send(self, number: int, request: bytes) -> None:
        assert self._transport
        self.number = number
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport
        self._transport.close()

    @property
    def is_closing(self) -> bool:
        """Closed by either side, or about to be: not to be used again."""
        return self._transport is None or self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        length = _LENGTH.search(self._buffer, 0, end) if end >= 0 else None
        if length is None or len(self._buffer) < end + 4 + int(length[1]):
            return
        if b"\r\nconnection: close" in self._buffer[:end].lower():
            self.close()
        status, self._buffer = self._buffer[9:12].decode(), b""
        number, self.number = self.number, -1
        if number >= 0:  # else a farewell to a connection on which nothing was asked: 408, then it closes
            self._sender.is_answered(self, number, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sender.is_lost(self)
