"""Listening sockets. A role binds its ports first, so that a role that cannot listen ends at once."""

import errno
import os
import socket

BACKLOG = 8192  # connections not yet accepted; the system may allow fewer: over them one waits for 1, 3, 7, 15 s


class PortError(Exception):
    """A port that cannot be listened on; the message names host, port, setting and remedy."""


def listen(host: str, port: int, host_setting: str, port_setting: str) -> socket.socket:
    """A listening socket. host_setting, port_setting: named in the error. Raises: PortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        raise PortError(f"cannot listen on {host}:{port}: {_reason(error, host_setting, port_setting)}") from error


def _reason(error: Exception, host_setting: str, port_setting: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, UnicodeError) or (number or 0) < 0:  # getaddrinfo's numbers
        return f"the host's name is unknown; correct {host_setting}"
    if number == errno.EADDRINUSE:
        return f"the port is taken by another program; stop that program, or set {port_setting} to another port"
    if number == errno.EACCES:
        return f"we have no right to this port; set {port_setting} to one above 1023"
    if number == errno.EADDRNOTAVAIL:
        return f"this machine has no such address; set {host_setting} to one that it has"
    return f"{os.strerror(number) if number else error}; see {host_setting} and {port_setting}"
