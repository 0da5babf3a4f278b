"""A role in ten milliseconds: answers 200 at every path, or does what its arguments say.

local_stub_role.py PORT [--exit CODE] [--exit-if-exists FILE CODE] [--ignore-sigterm] [--child]
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--exit", type=int)
    parser.add_argument("--exit-if-exists", nargs=2)
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--child", action="store_true", help="start a process of its own that never ends")
    options = parser.parse_args()
    sys.stdout.write(f"stub {os.getpid()} on {options.port}\n")
    sys.stdout.flush()
    if options.exit is not None:
        return int(options.exit)
    if options.exit_if_exists and Path(options.exit_if_exists[0]).exists():
        return int(options.exit_if_exists[1])
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child:
        subprocess.Popen((sys.executable, "-c", "import signal; signal.pause()"))
    serve(options.port)
    return 0


def serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


if __name__ == "__main__":
    sys.exit(main())
