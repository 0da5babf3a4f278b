"""What the local broker and the local registry have in common: made ready on disk, a command, a check of readiness."""

from abc import ABC, abstractmethod
from pathlib import Path

from streams.local.process import Command


class LocalService(ABC):
    """A server of the local system; the launcher runs its process. All methods block."""

    name: str
    may_finish = False
    """A server that ends has died, whatever its exit code."""

    def __init__(self, data_dir: Path, port: int, log_path: Path | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self.log_path = log_path if log_path is not None else self.data_dir / f"{self.name}.log"

    @abstractmethod
    def prepare(self) -> None:
        """Make what the process needs on disk; quick when it is there already.

        Raises: LocalError.
        """

    @abstractmethod
    def command(self) -> Command:
        """How to run it, once prepared."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether a client would be served now."""
