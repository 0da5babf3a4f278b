"""An environment of its own for Quix Streams: it refuses the versions of confluent-kafka and pydantic that we pin."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from streams.local.artifacts import default_cache_dir

REQUIREMENTS = Path(__file__).with_name("quix-requirements.txt")


def directory() -> Path:
    """Where it is: another set of requirements is another directory."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return default_cache_dir() / f"bench-quix-{sys.version_info.major}.{sys.version_info.minor}-{digest}"


def python() -> Path:
    """Its interpreter."""
    return directory() / "bin" / "python"


def prepare() -> None:
    """Create it, once per user: about 70 MiB. Raises: SystemExit with pip's words when it cannot."""
    done = directory() / "done"
    if done.exists():
        return
    print(f"installing {REQUIREMENTS.name} into {directory()}, once", flush=True)
    venv.create(directory(), with_pip=True, clear=True)
    command = [str(python()), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(REQUIREMENTS)]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("Quix Streams could not be installed; leave it out with --only, see --help")
    done.touch()
