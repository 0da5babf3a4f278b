"""Write the rows that must stay readable for good: `python -m tests.contract.golden.rows.write`.

Run it once when a stored struct has a new field, and commit what it adds. It writes `<kind>.<n>.row` (the stored value)
and `.json` (its values, by the names of their fields) for each kind whose layout is not kept yet, and never touches a
file that is there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec import Struct, msgpack

from streams.rules.calls import CallState, Decision, SourcePosition
from streams.rules.clocks import KeyState
from streams.rules.counts import OutcomeCounts
from streams.rules.panes import Pane
from streams.worker.tables import pack_row
from tests.support.records import ENDED_AT, RECEIVED_AT, outcome

FOLDER = Path(__file__).parent
VERSION = 7
HEAD_BYTES = 9  # version and format
SOURCE, OFFSET = 0, 40  # partition 0 of the callbacks topic


def _counts(*, by_workflow: bool) -> OutcomeCounts:
    counts = OutcomeCounts()
    counts.add(outcome(), by_workflow=by_workflow)
    return counts


def examples() -> dict[str, Struct]:
    """One row of each kind: one call, corrected and counted once, of one workflow and one SIP line."""
    decision = Decision(SOURCE, OFFSET, 2, outcome(result_label="F"), SourcePosition(SOURCE, OFFSET - 1))
    return {
        "call": CallState(2, b"d" * 16, outcome(), RECEIVED_AT, ["0123456789abcdef.0"], [decision], 2),
        "clock": KeyState(RECEIVED_AT - ENDED_AT, 0, {SOURCE: OFFSET}, [SourcePosition(SOURCE, 3)], RECEIVED_AT, 1),
        "workflow-pane": Pane(1, _counts(by_workflow=False), {SOURCE: OFFSET}),
        "line-pane": Pane(1, _counts(by_workflow=True), {SOURCE: OFFSET}),
    }


def kept(kind: str) -> list[Path]:
    """The rows of a kind that are kept, oldest first."""
    return sorted(FOLDER.glob(f"{kind}.*.row"), key=lambda path: int(path.suffixes[-2].removeprefix(".")))


def values(node: Any) -> Any:
    """A row by the names of its fields, as JSON can say it."""
    if isinstance(node, Struct):
        return {name: values(getattr(node, name)) for name in node.__struct_fields__}
    if isinstance(node, dict):
        return {str(key): values(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [values(item) for item in node]
    return node.hex() if isinstance(node, bytes) else node


def layout(node: Any) -> Any:
    """What of a row's values is its format: the names of fields, in their order; of numbers nothing."""
    if isinstance(node, dict):
        return {name: layout(value) for name, value in node.items() if not name.isdigit()}
    return [layout(item) for item in node[:1]] if isinstance(node, list) else None


def write(kind: str, row: Struct) -> Path:
    """Keep today's bytes of one row."""
    path = FOLDER / f"{kind}.{len(kept(kind))}.row"
    path.write_bytes(pack_row(VERSION, msgpack.encode(row)))
    path.with_suffix(".json").write_text(json.dumps(values(row), indent=1) + "\n", encoding="utf-8")
    return path


def is_kept(kind: str, row: Struct) -> bool:
    """Whether today's layout and format of a kind are the newest that are kept."""
    if not kept(kind):
        return False
    newest, today = kept(kind)[-1], pack_row(VERSION, msgpack.encode(row))
    layouts = [json.dumps(layout(json.loads(newest.with_suffix(".json").read_text()))), json.dumps(layout(values(row)))]
    return len(set(layouts)) == 1 and newest.read_bytes()[:HEAD_BYTES] == today[:HEAD_BYTES]


if __name__ == "__main__":
    for kind, row in examples().items():
        if not is_kept(kind, row):
            print(write(kind, row))  # noqa: T201  # a command line prints
