"""A download is whole or not there: against a Maven repository of our own on loopback."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
from jgo.maven import Artifact

from streams.local import artifacts
from streams.local.artifacts import default_cache_dir, ensure_artifacts
from streams.local.download import maven_context
from streams.local.errors import DownloadError, LocalDiskError
from streams.local.ports import free_ports
from streams.local.progress import LineProgress
from tests.support.waiting import PATIENCE_S, wait_until

CONTENT = bytes(range(256)) * 4096
PATH = "/org/example/thing/1.0/thing-1.0.jar"


@dataclass
class Repository:
    """What is served, and what was asked for."""

    files: dict[str, bytes]
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(repository: Repository) -> Iterator[Repository]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            repository.requests.append((self.path, wanted))
            content = repository.files.get(self.path)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            status = 404 if content is None else 416 if wanted and start >= len(content) else 206 if wanted else 200
            body = (content or b"")[start:] if status in (200, 206) else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        repository.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield repository
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def repository() -> Iterator[Repository]:
    sha1 = hashlib.sha1(CONTENT).hexdigest().encode()
    with serving(Repository({PATH: CONTENT, f"{PATH}.sha1": sha1})) as repository:
        yield repository


def thing(local_repository: Path, repository_url: str) -> Artifact:
    context = maven_context(local_repository, LineProgress(), {"test": repository_url})
    return context.project("org.example", "thing").at_version("1.0").artifact()


def test_a_file_is_stored_under_its_name_once_verified(repository: Repository, tmp_path: Path) -> None:
    stored = thing(tmp_path, repository.url).resolve()
    again = thing(tmp_path, repository.url).resolve()

    assert stored == again == tmp_path / PATH.removeprefix("/")
    assert stored.read_bytes() == CONTENT
    assert [path.name for path in stored.parent.iterdir()] == ["thing-1.0.jar"]
    assert repository.requests == [(f"{PATH}.sha1", None), (PATH, None)]


def test_an_interrupted_download_goes_on_where_it_stopped(repository: Repository, tmp_path: Path) -> None:
    part = tmp_path / f"{PATH.removeprefix('/')}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])

    stored = thing(tmp_path, repository.url).resolve()

    assert stored.read_bytes() == CONTENT
    assert (PATH, "bytes=1000-") in repository.requests


@pytest.mark.parametrize("left", [b"not the beginning of it", CONTENT, CONTENT + b"too much"])
def test_whatever_an_earlier_try_left_the_file_is_right_in_the_end(
    repository: Repository, tmp_path: Path, left: bytes
) -> None:
    part = tmp_path / f"{PATH.removeprefix('/')}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)

    assert thing(tmp_path, repository.url).resolve().read_bytes() == CONTENT


def test_a_file_that_does_not_match_its_checksum_is_not_stored(repository: Repository, tmp_path: Path) -> None:
    repository.files[PATH] = CONTENT + b"?"

    with pytest.raises(DownloadError, match=r"thing-1\.0\.jar arrived damaged twice"):
        thing(tmp_path, repository.url).resolve()

    assert not list((tmp_path / PATH.removeprefix("/")).parent.iterdir())


def test_a_file_that_no_repository_has_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.files.clear()

    with pytest.raises(DownloadError, match=r"org\.example:thing.* is in none of the Maven repositories \(test\)"):
        thing(tmp_path, repository.url).resolve()


def test_offline_with_an_empty_cache_is_reported_with_the_remedy(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    with pytest.raises(DownloadError, match=r"cannot be reached\. The first start .* needs the network") as caught:
        ensure_artifacts(tmp_path, repositories={"test": f"http://127.0.0.1:{port}"}, progress=LineProgress())

    assert caught.value.exit_code == 5
    assert caught.value.retriable


def test_a_cache_that_cannot_be_written_is_reported_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(LocalDiskError, match=r"cannot write to .*: it is no directory\. .*XDG_CACHE_HOME") as caught:
        ensure_artifacts(tmp_path / "file" / "cache", progress=LineProgress())

    assert caught.value.exit_code == 6


def fill(cache_dir: Path) -> None:
    """What a finished download leaves, in small."""
    home = cache_dir / artifacts.REGISTRY_DIRECTORY
    for path in (cache_dir / "maven" / "kafka.jar", home / "quarkus-run.jar"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"jar")
    listed = {"kafka": {"maven/kafka.jar": 3}, "registry": {f"{home.name}/quarkus-run.jar": 3}}
    (cache_dir / artifacts.MANIFEST).write_text(json.dumps(listed))


def test_what_is_there_is_found_without_asking_anybody(tmp_path: Path) -> None:
    fill(tmp_path)

    found = ensure_artifacts(tmp_path, repositories={})

    assert found.kafka_jars == (tmp_path / "maven" / "kafka.jar",)
    assert found.registry_home == tmp_path / artifacts.REGISTRY_DIRECTORY


async def test_a_second_process_waits_for_the_first_and_downloads_nothing(tmp_path: Path) -> None:
    out = StringIO()
    with (tmp_path / "lock").open("w") as held_by_the_first:
        fcntl.flock(held_by_the_first, fcntl.LOCK_EX)
        second = asyncio.create_task(
            asyncio.to_thread(ensure_artifacts, tmp_path, repositories={}, progress=LineProgress(out))
        )
        await wait_until(lambda: "waiting for another process" in out.getvalue(), PATIENCE_S, "the second to wait")
        fill(tmp_path)

    assert (await second).kafka_jars == (tmp_path / "maven" / "kafka.jar",)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"kafka": {"maven/kafka.jar": 4}, "registry": {}}'])
def test_what_is_damaged_or_missing_is_not_taken_for_whole(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "maven").mkdir()
    (tmp_path / "maven" / "kafka.jar").write_bytes(b"jar")
    (tmp_path / artifacts.MANIFEST).write_text(manifest)

    with pytest.raises(DownloadError):
        ensure_artifacts(tmp_path, repositories={}, progress=LineProgress())


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "airudder-kafka"

    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache_dir() == tmp_path / "home" / ".cache" / "airudder-kafka"
