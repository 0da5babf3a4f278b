"""Apicurio Registry on this machine: schema ids under a Confluent-compatible API, kept in an H2 file database.

The ids must outlive the process: a record names its schema by id, and an id given twice makes old records unreadable.
"""

from pathlib import Path

from streams.local.artifacts import Artifacts, ensure_artifacts
from streams.local.errors import DATA_REMEDY, disk_error
from streams.local.java import JAVA_ENVIRONMENT, java_executable
from streams.local.ports import FREE, LOOPBACK, free_ports
from streams.local.probes import http_status
from streams.local.process import Command
from streams.local.service import LocalService

CONFLUENT_API = "/apis/ccompat/v7"
DEFAULT_HEAP_MIB = 384

JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a few requests per process lifetime: only the start counts
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)


class LocalRegistry(LocalService):
    """One registry whose database lives in `data_dir`; `port` 0 is a free one, kept by this object."""

    name = "registry"

    def __init__(
        self,
        data_dir: Path,
        port: int = FREE,
        *,
        heap_mib: int = DEFAULT_HEAP_MIB,
        log_path: Path | None = None,
        artifacts: Artifacts | None = None,
    ) -> None:
        super().__init__(data_dir, port or free_ports(1)[0], log_path)
        self._heap_mib = heap_mib
        self._artifacts = artifacts

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{CONFLUENT_API}"

    def prepare(self) -> None:
        try:
            (self.data_dir / "tmp").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self.data_dir, DATA_REMEDY) from error
        self._artifacts = self._artifacts if self._artifacts is not None else ensure_artifacts()

    def command(self) -> Command:
        """The management port is a free one, new at every start: it is not used, and its default 9000 may be taken."""
        artifacts = self._artifacts if self._artifacts is not None else ensure_artifacts()
        settings = {
            "quarkus.http.host": LOOPBACK,
            "quarkus.http.port": self.port,
            "quarkus.management.host": LOOPBACK,
            "quarkus.management.port": free_ports(1)[0],
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            # H2 writes half a second after a commit by default: long enough for SIGKILL to lose an id
            "apicurio.datasource.url": f"jdbc:h2:file:{self.data_dir / 'h2'};WRITE_DELAY=0",
            "java.io.tmpdir": self.data_dir / "tmp",
        }
        argv = (
            str(java_executable()), f"-Xmx{self._heap_mib}m", *JVM_FLAGS,
            *(f"-D{name}={value}" for name, value in settings.items()),
            "-jar", str(artifacts.registry_home / "quarkus-run.jar"),
        )  # fmt: skip
        environment = {**JAVA_ENVIRONMENT, "QUARKUS_OTEL_SDK_DISABLED": "true"}
        return Command(self.name, argv, self.log_path, environment, working_dir=self.data_dir)

    def is_ready(self) -> bool:
        return http_status(self.port, f"{CONFLUENT_API}/subjects") == 200
