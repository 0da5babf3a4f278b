"""How pytest was started makes no difference to the processes that tests start."""

from __future__ import annotations

import signal
import subprocess
import sys


def test_sigint_is_not_ignored() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_sigint_is_not_ignored_where_a_shell_started_pytest_in_the_background() -> None:
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::{TEST}"]
    done = subprocess.run(["bash", "-c", 'trap "" INT; exec "$@"', "bash", *pytest_command], capture_output=True)

    assert done.returncode == 0, done.stdout.decode()


TEST = test_sigint_is_not_ignored.__name__
