"""The panes that a key's calls are counted in: one tumbling window each. Pure."""

from typing import NamedTuple

from msgspec import Struct, field

from schemas.records.outcomes import CallOutcome
from streams.rules.counts import OutcomeCounts


class Pane(Struct, array_like=True):
    """One window of one key. `revision` counts the changes applied; `positions` the last applied of each source.

    It takes calls received before `closes_at`. `received_at` is the latest receipt of what it counts.

    Stored: append only. The order of the fields is the format of rows on disk; a new one comes last, with a default.
    """

    revision: int = 0
    counts: OutcomeCounts = field(default_factory=OutcomeCounts)
    positions: dict[int, int] = field(default_factory=dict)
    closes_at: int = 0
    received_at: int = 0


class PaneId(NamedTuple):
    """A pane: its key and its start, UTC epoch ms."""

    value: str
    start: int


class Part(NamedTuple):
    """One half of a change: a call into (sign 1) or out of (-1) a pane."""

    pane_id: PaneId
    outcome: CallOutcome
    sign: int
