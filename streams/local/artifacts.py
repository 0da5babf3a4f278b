"""Kafka and the schema registry on disk: downloaded once per user, then found without network or resolving.

$XDG_CACHE_HOME/airudder-kafka/        (else ~/.cache/airudder-kafka)
    lock                               held during a download
    maven/                             a Maven repository: jars, and what jgo needed to choose them
    apicurio-registry-app-3.3.3/       the registry, unpacked
    kafka-4.2.0-registry-3.3.3.json    the manifest: written last, so its presence means all is there
"""

import fcntl
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.local.errors import DownloadError, disk_error
from streams.local.progress import MIB, DownloadProgress, progress_for

KAFKA_VERSION = "4.2.0"
REGISTRY_VERSION = "3.3.3"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka's jars bring log4j but not the binding that makes them log; the version is that of its log4j-core.
KAFKA_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3")
REGISTRY = ("io.apicurio", "apicurio-registry-app", REGISTRY_VERSION)
REGISTRY_DIRECTORY = f"apicurio-registry-app-{REGISTRY_VERSION}"
MANIFEST = f"kafka-{KAFKA_VERSION}-registry-{REGISTRY_VERSION}.json"
# All files of these versions together, so that the first start can say how far it is.
DOWNLOAD_BYTES = 204_568_576

RUNTIME_SCOPES = frozenset({"compile", "runtime"})
CACHE_REMEDY = "Free some space (about 500 MiB), or name another cache directory by XDG_CACHE_HOME."


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What to start: the broker's class path in order, and the directory that holds quarkus-run.jar."""

    kafka_jars: tuple[Path, ...]
    registry_home: Path
    cache_dir: Path


def default_cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "airudder-kafka"


def ensure_artifacts(
    cache_dir: Path | None = None,
    *,
    repositories: Mapping[str, str] | None = None,
    progress: DownloadProgress | None = None,
) -> Artifacts:
    """Everything the local system runs on, downloaded now if it is not there yet.

    Blocks; minutes at the first call, milliseconds later. `repositories` is as in `maven_context`.
    Raises: DownloadError, LocalDiskError.
    Repeat: safe, also from several processes at once (one downloads, the others wait) and after an interruption.
    """
    cache_dir = cache_dir if cache_dir is not None else default_cache_dir()
    present = _read_manifest(cache_dir)
    if present is not None:
        return present
    progress = progress if progress is not None else progress_for(sys.stderr)
    try:
        with _exclusive(cache_dir, progress):
            present = _read_manifest(cache_dir)  # the process that held the lock may have downloaded everything
            return present if present is not None else _download(cache_dir, repositories, progress)
    except OSError as error:
        raise disk_error(error, cache_dir, CACHE_REMEDY) from error


@contextmanager
def _exclusive(cache_dir: Path, progress: DownloadProgress) -> Iterator[None]:
    """One process at a time. The system frees the lock when its holder dies, also by SIGKILL."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    with (cache_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"waiting for another process that downloads to {cache_dir}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(cache_dir: Path, repositories: Mapping[str, str] | None, progress: DownloadProgress) -> Artifacts:
    progress.say(
        f"first start: downloading Apache Kafka {KAFKA_VERSION} and Apicurio Registry {REGISTRY_VERSION} "
        f"({DOWNLOAD_BYTES / MIB:.0f} MiB, once) to {cache_dir}"
    )
    _remove_damaged(cache_dir)
    with progress.whole(DOWNLOAD_BYTES, _downloaded_bytes(cache_dir / "maven")):
        kafka_jars, archive = _fetch(cache_dir / "maven", repositories, progress)
    progress.say("unpacking")
    registry_home = cache_dir / REGISTRY_DIRECTORY
    _unpack(archive, registry_home)
    artifacts = Artifacts(tuple(kafka_jars), registry_home, cache_dir)
    _write_manifest(artifacts)
    archive.unlink()  # unpacked and listed: 150 MiB that no start reads again
    progress.say("downloaded")
    return artifacts


def _fetch(
    local_repository: Path, repositories: Mapping[str, str] | None, progress: DownloadProgress
) -> tuple[list[Path], Path]:
    """The broker's jars and the registry's archive, as files of the local Maven repository."""
    from streams.local.download import maven_context  # jgo and requests: only the first start loads them

    context = maven_context(local_repository, progress, repositories)
    try:
        # alone: jgo takes every requested artifact for a BOM, and the binding's would downgrade kafka-clients
        requested, dependencies = context.resolver.resolve([context.create_dependency(KAFKA)])
        wanted = [d for d in dependencies if d.scope in RUNTIME_SCOPES]
        jars = [dependency.artifact.resolve() for dependency in (*requested, *wanted)]
        group, name, version = KAFKA_LOGGING
        jars.append(context.project(group, name).at_version(version).artifact().resolve())
        group, name, version = REGISTRY
        archive = context.project(group, name).at_version(version).artifact("all", "tar.gz").resolve()
    except (RuntimeError, ValueError) as error:  # jgo's words for a POM it cannot make sense of
        raise DownloadError(f"cannot resolve Kafka's jars: {error}") from error
    return jars, archive


def _downloaded_bytes(local_repository: Path) -> int:
    """What an interrupted try has left."""
    return sum(path.stat().st_size for path in local_repository.rglob("*") if path.is_file())


def _unpack(archive: Path, home: Path) -> None:
    temporary = home.with_name(home.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
    except (tarfile.TarError, EOFError) as error:
        archive.unlink(missing_ok=True)
        raise DownloadError(f"{archive.name} cannot be unpacked ({error}): start again") from error
    shutil.rmtree(home, ignore_errors=True)
    temporary.rename(home)


def _write_manifest(artifacts: Artifacts) -> None:
    """Names, relative to the cache, and sizes of every file needed: a start checks them in a few milliseconds."""
    listed = {
        "kafka": _sizes(artifacts.cache_dir, artifacts.kafka_jars),
        "registry": _sizes(artifacts.cache_dir, sorted(artifacts.registry_home.rglob("*"))),
    }
    temporary = artifacts.cache_dir / f"{MANIFEST}.part"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(listed, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(artifacts.cache_dir / MANIFEST)


def _sizes(cache_dir: Path, paths: Iterable[Path]) -> dict[str, int]:
    return {path.relative_to(cache_dir).as_posix(): path.stat().st_size for path in paths if path.is_file()}


def _read_manifest(cache_dir: Path) -> Artifacts | None:
    """What an earlier call left, None when anything of it is missing, cut short or unreadable."""
    listed = _listed(cache_dir)
    if listed is None or _damaged(cache_dir, listed):
        return None
    jars = tuple(cache_dir / name for name in listed["kafka"])
    return Artifacts(jars, cache_dir / REGISTRY_DIRECTORY, cache_dir)


def _listed(cache_dir: Path) -> dict[str, dict[str, int]] | None:
    """The manifest as `_write_manifest` wrote it."""
    try:
        listed = json.loads((cache_dir / MANIFEST).read_text(encoding="utf-8"))
        return {part: {str(name): int(size) for name, size in listed[part].items()} for part in ("kafka", "registry")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _damaged(cache_dir: Path, listed: dict[str, dict[str, int]]) -> list[Path]:
    """The listed files that are missing or of another size."""
    files = ((cache_dir / name, size) for part in listed.values() for name, size in part.items())
    return [path for path, size in files if not path.is_file() or path.stat().st_size != size]


def _remove_damaged(cache_dir: Path) -> None:
    """Remove what is damaged, so that it is fetched again: jgo takes a file that exists for a good one."""
    for path in _damaged(cache_dir, _listed(cache_dir) or {}):
        path.unlink(missing_ok=True)
