"""Loopback ports: a free one, or the wanted one if no program has it."""

import errno
import random
import socket
from contextlib import ExitStack

from streams.local.errors import PortTakenError

LOOPBACK = "127.0.0.1"
# The port number that stands for any free port.
FREE = 0

# Below the ports that Linux and macOS give to outgoing connections. A client that keeps trying to reach a stopped
# server on one of those can be given that very port, is then connected to itself, and the server cannot come back.
FREE_RANGE = range(20_000, 32_768)

ATTEMPTS = 1000


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 without a listener now. Another program can take them later."""
    with ExitStack() as stack:
        return [int(stack.enter_context(_bound_to_any()).getsockname()[1]) for _ in range(count)]


def claim_port(port: int, option: str, host: str = LOOPBACK) -> int:
    """`port` itself when it can be listened on at `host`, a free one for 0.

    Raises: PortTakenError, naming the port and the `option` that changes it.
    """
    if port == FREE:
        return free_ports(1)[0]
    try:
        _bound(port, host).close()
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be listened on ({error})"
        raise PortTakenError(
            f"port {port} of {host} {reason}: stop that program, or choose another by {option} (0: a free one)"
        ) from error
    return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """True when `port` can be listened on at `host` now."""
    try:
        _bound(port, host).close()
    except OSError:
        return False
    return True


def _bound_to_any() -> socket.socket:
    for port in random.sample(FREE_RANGE, ATTEMPTS):
        try:
            return _bound(port, LOOPBACK, shared=False)
        except OSError:
            continue
    raise PortTakenError(f"no free port of {LOOPBACK} between {FREE_RANGE.start} and {FREE_RANGE.stop}")


def _bound(port: int, host: str, *, shared: bool = True) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if shared:  # connections of the run before may be in TIME_WAIT; a listener is refused all the same
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
