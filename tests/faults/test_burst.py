"""Ten times the steady rate for a while. The long form, by command: tests/faults/burst.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.burst import burst

CAP_MIB = 512


@pytest.mark.timeout(600)
async def test_a_burst_fills_no_memory_and_every_call_is_counted(tmp_path: Path) -> None:
    """The rate during a burst is a matter of the machine: the command measures it, a test does not."""
    _, _, mib = await burst(tmp_path, steady=150, times=10, seconds=10, tell=lambda line: None)

    assert mib < CAP_MIB
