from __future__ import annotations

import errno
from pathlib import Path

from streams.local.errors import LocalError, RoleRefusedError, disk_error


def test_a_script_can_tell_the_kinds_apart_by_exit_code() -> None:
    codes = {kind.__name__: kind.exit_code for kind in LocalError.__subclasses__() if kind is not RoleRefusedError}

    assert codes == {
        "NotStartedError": 69,
        "PortTakenError": 3,
        "LocalDirInUseError": 4,
        "DownloadError": 5,
        "LocalDiskError": 6,
        "JavaMissingError": 7,
    }


def test_a_role_that_refuses_gives_its_own_exit_code() -> None:
    assert RoleRefusedError("gateway refused", 78).exit_code == 78


def test_a_full_disk_is_called_one() -> None:
    error = disk_error(OSError(errno.ENOSPC, "No space left on device"), Path("/cache"), "Free some space.")

    assert str(error) == "cannot write to /cache: the disk is full. Free some space."
