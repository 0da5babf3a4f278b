"""The gateway's peers: one that cannot start is reported at once, with its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.gateway_servers import running_peer


async def test_a_peer_that_ends_instead_of_listening_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)unheard-of ended with 1:\n.*Error: "):
        async with running_peer("unheard-of", "127.0.0.1:1", tmp_path):
            pass
