"""What is written down holds phone numbers and transcripts: other users of the machine do not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.local.console import Console
from streams.local.data_dir import hold_data_dir
from streams.local.errors import LocalDiskError, PortTakenError
from streams.worker.identity import identity_of


def test_a_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    with hold_data_dir(tmp_path / "up", Console()):
        identity_of("app", tmp_path / "worker")

        assert {(tmp_path / name).stat().st_mode & 0o077 for name in ("up", "worker")} == {0}


def test_a_directory_that_got_nothing_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(PortTakenError), hold_data_dir(tmp_path / "new", Console()):
        raise PortTakenError
    (tmp_path / "old").mkdir()
    with pytest.raises(PortTakenError), hold_data_dir(tmp_path / "old", Console()):
        raise PortTakenError
    with hold_data_dir(tmp_path / "used", Console()):
        (tmp_path / "used" / "env").touch()

    assert {path.name for path in tmp_path.iterdir()} == {"old", "used"}


def test_a_file_in_its_place_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(LocalDiskError, match=r"it is no directory.*--data-dir"),
        hold_data_dir(tmp_path / "file", Console()),
    ):
        pass


def test_a_directory_that_was_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with hold_data_dir(tmp_path, Console()):
        assert tmp_path.stat().st_mode & 0o777 == 0o755
