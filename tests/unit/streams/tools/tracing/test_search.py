"""A call is found by its bytes in records that need not be decoded for it."""

from __future__ import annotations

import pytest
from msgspec import structs

from schemas.codec import encode
from streams.tools.tracing.search import _avro_text
from tests.support.records import CALL


@pytest.mark.parametrize("call_id", ["c", "x" * 63, "x" * 64, "x" * 1000, "呼" * 50], ids=len)
def test_the_id_of_a_call_is_among_its_bytes_and_no_longer_id_is_taken_for_it(call_id: str) -> None:
    data = encode(1, structs.replace(CALL, call_id=call_id))

    assert _avro_text(call_id.encode()) in data
    assert _avro_text(call_id[:-1].encode()) not in data or call_id == "c"
    assert _avro_text(call_id[1:].encode()) not in data or call_id == "c"
