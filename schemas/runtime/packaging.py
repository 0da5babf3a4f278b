"""Setuptools' commands, with the commit written into what they build (pyproject.toml, `[tool.setuptools.cmdclass]`).

The commit is SOURCE_COMMIT of the environment, else the checkout's, else the one in the source distribution.
"""

import os
import sys
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).parents[2]))  # setuptools loads this file by its path

from schemas.runtime.commit import COMMIT_FILE, commit_of_checkout, written_commit


class BuildPy(build_py):
    """The files of a wheel."""

    def run(self) -> None:
        """Copy the modules, then write the commit. An editable install reads it from git at run time."""
        super().run()
        if not self.editable_mode:
            _write_commit(Path(self.build_lib))


class Sdist(sdist):
    """The files of a source distribution."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copy the files, then write the commit."""
        super().make_release_tree(base_dir, files)
        _write_commit(Path(base_dir))


def _write_commit(root: Path) -> None:
    source = Path()
    if commit := os.environ.get("SOURCE_COMMIT") or commit_of_checkout(source) or written_commit(source):
        (root / COMMIT_FILE).write_text(f"{commit}\n", encoding="ascii")
