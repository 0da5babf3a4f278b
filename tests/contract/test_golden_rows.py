"""Rows once stored stay readable for good: an upgrade finds its state, and a field that came later has its default.

`golden/rows/` has a row of each kind for each layout it ever had; 0 is what was written before there was a format byte.
When a stored struct grows, run `python -m tests.contract.golden.rows.write` and commit what it adds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, msgpack

from schemas.topics import CALLBACKS, CALLS, DEAD_LETTERS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from streams.errors import NewerFormatError
from streams.rules.calls import CallState
from streams.rules.clocks import KeyState
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.panes import Pane, PaneId
from streams.worker.tables import FORMAT, pack_row, unpack_row
from streams.worker.windows_agent import _pane_key
from tests.contract.golden.rows.write import FOLDER, VERSION, examples, is_kept, kept, values
from tests.support.agents import WINDOWS, Agents
from tests.support.records import ENDED_AT, callback, detail

TYPES: dict[str, type[Struct]] = {"call": CallState, "clock": KeyState, "workflow-pane": Pane, "line-pane": Pane}
GOLDEN = sorted(FOLDER.glob("*.row"))
RENAMED = {"min_delay_ms": "delay_ms"}  # in its place, and it means the same: how far a key's calls lie behind
START = ENDED_AT - ENDED_AT % WINDOWS.window_ms


def decoded(path: Path) -> Struct:
    return msgpack.decode(unpack_row(path.read_bytes()), type=TYPES[path.name.split(".")[0]])


def assert_has(row: Any, expected: Any) -> None:
    """All that was written is read; what came later is not looked at."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_has(row[RENAMED.get(name, name)], value)
    elif isinstance(expected, list):
        for now, then in zip(row, expected, strict=True):
            assert_has(now, then)
    else:
        assert row == expected


@pytest.mark.parametrize("kind", examples())
def test_todays_layout_of_every_row_is_kept(kind: str) -> None:
    assert is_kept(kind, examples()[kind]), "run `python -m tests.contract.golden.rows.write` and commit what it adds"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_rows_once_stored_are_read_as_the_values_they_had(path: Path) -> None:
    assert_has(values(decoded(path)), json.loads(path.with_suffix(".json").read_text()))


@pytest.mark.parametrize("kind", examples())
def test_values_are_stored_as_the_bytes_they_were(kind: str) -> None:
    assert kept(kind)[-1].read_bytes() == pack_row(VERSION, msgpack.encode(examples()[kind]))


@pytest.mark.parametrize("kind", examples())
def test_fields_are_appended_and_never_moved_renamed_or_dropped(kind: str) -> None:
    """Of structs stored as arrays the order is the format: each layout that was begins today's."""
    today = values(examples()[kind])
    for path in kept(kind):
        old = json.loads(path.with_suffix(".json").read_text())
        for then, now in [(old, today), *((old[name], today[name]) for name in ("counts",) if name in old)]:
            assert list(now)[: len(then)] == [RENAMED.get(name, name) for name in then]


@pytest.mark.parametrize("kind", examples())
def test_a_row_of_fewer_fields_is_read_with_the_defaults_of_the_others(kind: str) -> None:
    whole = msgpack.decode(msgpack.encode(examples()[kind]))
    for fields in range(len(whole)):
        row = msgpack.decode(msgpack.encode(whole[:fields]), type=TYPES[kind])
        for name in row.__struct_fields__[fields:]:
            assert getattr(row, name) == getattr(TYPES[kind](), name)


@pytest.mark.parametrize("stored", [b"", b"12345678", b"\x00" * 9, b"any bytes of any stranger"])
def test_what_is_no_row_is_an_error(stored: bytes) -> None:
    with pytest.raises(Exception, match=r"checksum|buffer|requires") as error:
        unpack_row(stored)
    assert not isinstance(error.value, NewerFormatError)


def test_a_row_of_a_later_release_is_distinguished_from_what_is_no_row() -> None:
    row = bytearray(pack_row(VERSION, b"\x90"))
    row[8] = FORMAT + 1

    with pytest.raises(NewerFormatError, match=f"format {FORMAT + 1}"):
        unpack_row(bytes(row))


@pytest.mark.parametrize("age", [0, -1], ids=["the oldest rows", "todays rows"])
async def test_a_worker_that_restores_old_rows_corrects_the_call_and_counts_it_once(age: int) -> None:
    agents = Agents(partitions=1)
    await agents.start()
    for dimension, pane, value in ((WORKFLOW, "workflow-pane", "wf-1"), (SIP_LINE, "line-pane", "line-1")):
        rows = [(b"k" + value.encode(), "clock"), (_pane_key(PaneId(value, START)), pane)]
        agents.tables[dimension.table].log[0] = [(key, kept(kind)[age].read_bytes()) for key, kind in rows]
    agents.tables["calls"].log[0] = [(b"call-1", kept("call")[age].read_bytes())]
    agents.topics[CALLBACKS.name][0] = [None] * 100  # processed before the upgrade
    agents.read_again(CALLBACKS.name, 0, 100)
    await agents.start()

    agents.write(CALLBACKS, b"call-1", callback(detail(result_label="G"), event_id="f" * 64))
    await agents.process_all()

    outputs = agents.outputs(CALLS, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES, DEAD_LETTERS)
    assert outputs[DEAD_LETTERS.name] == []
    assert [read.value.revision for read in outputs[CALLS.name] if read.key == "call-1"] == [3]
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        last = outputs[topic.name][-1].value
        assert (last.calls, last.revision, last.result_labels) == (1, 2, {"G": 1})
