"""Apache Kafka on this machine: one KRaft node, broker and controller in one Java process."""

import base64
import os
import subprocess
import uuid
from pathlib import Path

from streams.local.artifacts import Artifacts, ensure_artifacts
from streams.local.errors import DATA_REMEDY, NotStartedError, disk_error
from streams.local.java import JAVA_ENVIRONMENT, java_executable
from streams.local.ports import FREE, LOOPBACK, free_ports
from streams.local.probes import broker_is_ready
from streams.local.process import Command
from streams.local.service import LocalService

DEFAULT_HEAP_MIB = 512
FORMAT_TIMEOUT_S = 120

# Compile once, plainly. CPU until ready: 3.6 s instead of 6.6 s. For 300,000 records of 1.5 kB: 11 s instead of 21 s,
# mostly the compiler's. For each 150,000 after that: 6 s instead of 3 s, so benchmarks use `steady=True`. Measured on
# two busy cores, acks=all, one consumer group.
START_QUICKLY = "-XX:TieredStopAtLevel=1"

JVM_FLAGS = (
    "-XX:+UseSerialGC",  # 0.2 s off the start; on two cores G1's threads buy nothing for 512 MiB
    "-XX:+ExitOnOutOfMemoryError",  # a broker without heap must end and be restarted, not linger
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)

LOG4J = """\
rootLogger.level=INFO
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %-5p %c{1}: %m%n
"""

SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
log.dirs={log_dir}
# topics are declared in schemas/topics.py, never created by accident
auto.create.topics.enable=false
# one node holds the only copy of everything
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# a group of one laptop: few partitions for its bookkeeping, and no waiting for members still to come
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
# after SIGKILL a broker may not register again before its old session ends: 5 s, not 9
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
# sized for hundreds of small partitions in a small heap (index files are reserved at full size)
log.segment.bytes=268435456
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.threads=1
"""


class LocalKafka(LocalService):
    """One broker whose data live in `data_dir`.

    `port` 0 is a free one, chosen here and kept by this object; the controller's port is chosen anew by `prepare`.
    Cluster id and records survive stop, SIGKILL and another port. `steady` trades a slow start for throughput later.
    """

    name = "kafka"

    def __init__(
        self,
        data_dir: Path,
        port: int = FREE,
        *,
        heap_mib: int = DEFAULT_HEAP_MIB,
        steady: bool = False,
        log_path: Path | None = None,
        artifacts: Artifacts | None = None,
    ) -> None:
        super().__init__(data_dir, port or free_ports(1)[0], log_path)
        self._heap_mib = heap_mib
        self._jvm_flags = JVM_FLAGS if steady else (START_QUICKLY, *JVM_FLAGS)
        self._artifacts = artifacts

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def cluster_id(self) -> str | None:
        """None before the data directory was formatted."""
        try:
            lines = self._meta_properties.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        return next((line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id=")), None)

    def prepare(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            (self.data_dir / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
            self._settings_path.write_text(self._settings(), encoding="utf-8")
        except OSError as error:
            raise disk_error(error, self.data_dir, DATA_REMEDY) from error
        if self.cluster_id is None:
            self._format()

    def command(self) -> Command:
        argv = self._java("kafka.Kafka", str(self._settings_path))
        return Command(self.name, argv, self.log_path, JAVA_ENVIRONMENT, self.data_dir)

    def is_ready(self) -> bool:
        return broker_is_ready(self.port)

    @property
    def _settings_path(self) -> Path:
        return self.data_dir / "server.properties"

    @property
    def _log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def _meta_properties(self) -> Path:
        return self._log_dir / "meta.properties"

    def _settings(self) -> str:
        controller_port = free_ports(1)[0]
        log_dir = _escaped(self._log_dir.as_posix())
        return SETTINGS.format(host=LOOPBACK, port=self.port, controller_port=controller_port, log_dir=log_dir)

    def _format(self) -> None:
        """Give an empty data directory its cluster id. A directory with meta.properties has one."""
        argv = self._java(
            "kafka.tools.StorageTool", "format", "--ignore-formatted",
            "--cluster-id", _new_cluster_id(), "--config", str(self._settings_path),
        )  # fmt: skip
        try:
            done = subprocess.run(
                argv,
                env={**os.environ, **JAVA_ENVIRONMENT},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=FORMAT_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotStartedError(f"formatting {self._log_dir} took over {FORMAT_TIMEOUT_S} s: try again") from error
        if done.returncode != 0:
            output = (done.stdout + done.stderr).strip()[-2000:]
            raise NotStartedError(f"{self._log_dir} cannot be formatted for Kafka:\n{output}")

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        self._artifacts = self._artifacts if self._artifacts is not None else ensure_artifacts()
        class_path = os.pathsep.join(str(jar) for jar in self._artifacts.kafka_jars)
        return (
            str(java_executable()), f"-Xmx{self._heap_mib}m", *self._jvm_flags,
            f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}",
            "-cp", class_path, main_class, *arguments,
        )  # fmt: skip


def _new_cluster_id() -> str:
    """A random id as Kafka writes it: 16 bytes in URL-safe base64; it may not begin with '-', an option's sign."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _escaped(text: str) -> str:
    """For a Java properties file, which is Latin-1 with UTF-16 escapes."""
    escaped = text.replace("\\", "\\\\")
    units = escaped.encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)
