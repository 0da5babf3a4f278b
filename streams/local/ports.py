"""Loopback ports: a free one, or the one that was asked for if nobody has it."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

from streams.local.errors import PortTakenError

LOOPBACK = "127.0.0.1"
FREE = 0
"""The port number that asks for any free port."""


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 that nobody listens on now; nobody is kept from taking them later."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_bound(FREE)) for _ in range(count)]
        return [int(s.getsockname()[1]) for s in sockets]


def claim_port(port: int, option: str, host: str = LOOPBACK) -> int:
    """`port` itself when it can be listened on at `host`, a free one for 0.

    Raises: PortTakenError, naming the port and the `option` that changes it.
    """
    try:
        with _bound(port, host) as claimed:
            return int(claimed.getsockname()[1])
    except OSError as error:
        reason = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
        raise PortTakenError(
            f"port {port} of {host} {reason}: stop that program, or choose another port with {option} "
            f"({option} 0 takes a free one)"
        ) from error


def _bound(port: int, host: str = LOOPBACK) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # a connection of the run before may still be in TIME_WAIT; a listener is refused all the same
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
