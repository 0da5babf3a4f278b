"""Is it ready? Each probe blocks for a second at most and never raises."""

import http.client
import socket
import struct

from streams.local.ports import LOOPBACK

PROBE_TIMEOUT_S = 1.0
METADATA_KEY, METADATA_VERSION = 3, 1
NO_CLIENT_ID = -1
NO_TOPICS = 0
CORRELATION_ID = 7


def http_status(port: int, path: str, host: str = LOOPBACK) -> int | None:
    """Status code of GET `path`, None when there is no answer. Uses no proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def broker_is_ready(port: int, host: str = LOOPBACK) -> bool:
    """Whether the broker answers a Metadata request in which it lists itself.

    A listening port says too little: KRaft lists a broker only once it may hold partitions.
    """
    body = struct.pack(">hhihi", METADATA_KEY, METADATA_VERSION, CORRELATION_ID, NO_CLIENT_ID, NO_TOPICS)
    try:
        with socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (length,) = struct.unpack(">i", _read(connection, 4))
            correlation_id, brokers = struct.unpack(">ii", _read(connection, length)[:8])
    except (OSError, EOFError, struct.error):
        return False
    return bool(correlation_id == CORRELATION_ID and brokers >= 1)


def _read(connection: socket.socket, count_bytes: int) -> bytes:
    received = b""
    while len(received) < count_bytes:
        chunk = connection.recv(count_bytes - len(received))
        if not chunk:
            raise EOFError
        received += chunk
    return received
