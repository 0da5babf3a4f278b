"""The commit of a checkout, or the one that a build wrote. The build loads this file: standard library only."""

import subprocess
from pathlib import Path
from typing import Final

COMMIT_FILE: Final = "schemas/runtime/COMMIT"  # written by a build, in no checkout
_GIT_S: Final = 5.0


def commit_of_checkout(root: Path) -> str:
    """The commit that is checked out in `root`, as 40 hex digits; empty when `root` is no checkout or git fails."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_S).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def written_commit(root: Path) -> str:
    """The commit that a build wrote under `root`; empty when there is none."""
    try:
        return (root / COMMIT_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
