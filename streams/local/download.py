"""Maven files, fetched so that an interrupted or damaged download can never be taken for a whole one.

jgo resolves versions, parents and dependencies; its own `download` writes straight to the final name, does
not resume and only warns about a wrong checksum. The resolver here replaces that one method, nothing else.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.maven import Artifact, MavenContext, PythonResolver
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from streams.local.errors import DownloadError
from streams.local.progress import DownloadProgress

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 120  # a mirror sends nothing while it fetches the file itself
CHUNK_BYTES = 256 * 1024
OFFLINE_REMEDY = (
    "The first start downloads Kafka and the registry once and needs the network (a proxy by HTTPS_PROXY, "
    "a private certificate by REQUESTS_CA_BUNDLE, a mirror by [repositories] in jgo's config file); "
    "later starts need none."
)


def maven_context(
    local_repository: Path, progress: DownloadProgress, repositories: Mapping[str, str] | None = None
) -> MavenContext:
    """A jgo context that stores below `local_repository` and downloads with `VerifyingResolver`.

    `repositories` maps name to URL; None means Maven Central as jgo knows it, together with what this
    machine's jgo config file adds or replaces.
    """
    context = MavenContext(VerifyingResolver(progress), repo_cache=local_repository)
    if repositories is None:
        context.remote_repos.update(GlobalSettings.load().repositories)
    else:
        context.remote_repos = dict(repositories)
    return context


class VerifyingResolver(PythonResolver):
    """Downloads under a temporary name, resumes, checks Maven's SHA-1, then renames.

    Raises: DownloadError from every method that may have to fetch a file.
    Repeat: a file that is there is not fetched again; a broken-off one goes on where it stopped.
    """

    def __init__(self, progress: DownloadProgress) -> None:
        super().__init__()
        self._progress = progress
        self._session = requests.Session()  # one connection for a hundred small files
        retry = Retry(total=4, connect=1, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def download(self, artifact: Artifact) -> Path:
        target = artifact.cached_path
        if target is None:
            raise DownloadError("jgo was given no local repository")
        target.parent.mkdir(parents=True, exist_ok=True)
        path = f"{artifact.component.path_prefix.as_posix()}/{artifact.filename}"
        for repository in artifact.context.remote_repos.values():
            url = f"{repository}/{path}"
            try:
                sha1 = self._published_sha1(url)
                if sha1 is not None:
                    self._fetch_verified(url, target, sha1)
                    return target
            except requests.RequestException as error:
                message = f"cannot download {artifact.filename}: {_cause(error)}. {OFFLINE_REMEDY}"
                raise DownloadError(message) from error
        names = ", ".join(artifact.context.remote_repos)
        raise DownloadError(f"{artifact} is in none of the Maven repositories ({names})")

    def _published_sha1(self, url: str) -> str | None:
        """Hex digest beside the file, None when this repository has no such file."""
        response = self._session.get(f"{url}.sha1", timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
        if response.status_code == requests.codes.not_found:
            return None
        response.raise_for_status()
        words = response.text.split()
        if not words:
            raise DownloadError(f"the repository publishes an empty checksum for {url.rsplit('/', 1)[-1]}")
        return words[0].lower()

    def _fetch_verified(self, url: str, target: Path, sha1: str) -> None:
        part = target.with_name(target.name + ".part")
        for _ in range(2):  # a resumed file can be wrong because its first half is: once more from nothing
            self._fetch(url, part)
            if _sha1_of(part) == sha1:
                part.replace(target)
                return
            part.unlink()
        raise DownloadError(
            f"{target.name} arrived damaged twice: try again, or report it to the operator of the mirror"
        )

    def _fetch(self, url: str, part: Path) -> None:
        have_bytes = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have_bytes}-"} if have_bytes else {}
        with self._session.get(
            url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        ) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # all of it is there already: the checksum decides
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            self._store(response, part, have_bytes if resumed else 0)

    def _store(self, response: requests.Response, part: Path, have_bytes: int) -> None:
        with part.open("ab" if have_bytes else "wb") as f:
            for chunk in response.iter_content(CHUNK_BYTES):
                f.write(chunk)
                self._progress.advance(len(chunk))
            f.flush()
            os.fsync(f.fileno())  # a power cut after the rename must not leave a short file under the final name


def _sha1_of(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha1").hexdigest()


def _cause(error: requests.RequestException) -> str:
    """The reason without the URL's credentials: requests puts whole URLs into its texts."""
    if error.response is not None:
        return f"the repository answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "the repository does not answer"
    if isinstance(error, requests.ConnectionError):
        return "the repository cannot be reached"
    return type(error).__name__
