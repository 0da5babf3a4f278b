from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.local.ports import free_ports
from streams.local.probes import broker_is_ready, http_status


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that reads one request and sends `answer`, whatever it was asked; gives its port."""

    def serve_once() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve_once)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def metadata(brokers: int) -> bytes:
    body = struct.pack(">ii", 7, brokers)
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("answer", "ready"),
    [(metadata(brokers=1), True), (metadata(brokers=0), False), (b"", False), (b"HTTP/1.1 400\r\n\r\n", False)],
    ids=["lists itself", "lists nobody", "hangs up", "speaks http"],
)
def test_a_broker_is_ready_when_it_lists_itself(answer: bytes, ready: bool) -> None:
    with answering(answer) as port:
        assert broker_is_ready(port) is ready


def test_nobody_there_is_not_ready() -> None:
    (port,) = free_ports(1)

    assert broker_is_ready(port) is False
    assert http_status(port, "/readyz") is None


@pytest.mark.parametrize(
    ("answer", "status"), [(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n", 503), (b"not http\r\n\r\n", None)]
)
def test_the_status_of_an_answer_is_its_number(answer: bytes, status: int | None) -> None:
    with answering(answer) as port:
        assert http_status(port, "/readyz") == status
