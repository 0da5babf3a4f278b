"""Today's schemas are released, and may follow every version that ever was. `python -m schemas check` says the same."""

from __future__ import annotations

from schemas.evolution.releases import Releases


def test_every_schema_may_follow_its_released_versions_and_is_the_last_of_them() -> None:
    faults = Releases().check()

    assert not faults, "\n".join(faults)
