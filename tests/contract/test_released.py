"""Today's schemas are released, and may follow every version that ever was. `python -m schemas check` says the same."""

from __future__ import annotations

import json

import pytest

from schemas.codec import schema_text
from schemas.evolution.compatibility import shape
from schemas.evolution.releases import Releases, released_records


def test_every_schema_may_follow_its_released_versions_and_is_the_last_of_them() -> None:
    assert Releases().check() == []


@pytest.mark.parametrize("record", released_records())
def test_the_last_released_version_is_todays_schema(record: str) -> None:
    *_, last = Releases().versions(record).values()

    assert shape(json.loads(last)) == shape(json.loads(schema_text(record)))
