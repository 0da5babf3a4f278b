"""The shapes of answers about SIP lines, as types. See `process_shapes`."""

from msgspec import UNSET, Struct, UnsetType

from streams.monitor.openapi.call_shapes import Counts, Kpis
from streams.monitor.openapi.process_shapes import FROM, Values


class Peer(Struct):
    """A line against its control: the other lines of the same workflows, or itself before. Null below 30 dials."""

    control: str
    z: float | None
    relative: float | None
    n: int
    control_n: int
    lines: int
    usual: float | None
    band: list[float] | None
    since: str | None


class LineWorkflow(Struct):
    """A workflow that a line dialled for."""

    value: str
    workflow_name: str
    attempts: int


class RankedLine(Struct):
    """One line: its state, since when, its peers, its KPIs, its workflows."""

    value: str
    state: str
    since: str | None
    calls: int
    attempts: int
    peer: Peer
    kpis: Kpis
    kpi_samples: Counts
    workflows: list[LineWorkflow]
    workflow_count: int
    ner_by_hour: Values


class WorkflowNotice(Struct):
    """A workflow all of whose lines fell together: no line's fault."""

    workflow: str
    workflow_name: str
    lines: int
    since: str
    relative: float
    z: float
    evidence: str


class RankedLines(Struct, rename=FROM):
    """The lines of a span, the worst first. lines: how many there are."""

    window_s: int
    from_: str
    to: str
    as_of: str
    lines: int
    values: list[RankedLine]
    notices: list[WorkflowNotice]
    next: str | UnsetType = UNSET


class Finding(Struct):
    """What sets a line apart, in a sentence and in shares from 0 to 1."""

    kind: str
    attribute: str
    value: str
    shown: str
    share: float
    peer_share: float | None
    difference: float
    z: float
    n: int
    peer_n: int
    outside: float | None
    holds: float | None
    source: str
    sentence: str


class RecordsRead(Struct):
    """What was read for an explanation. cut, fault: why not all."""

    read: int
    bytes: int
    seconds: float
    undecodable: int
    dials: int
    cut: str | None
    fault: str | None


class Explanation(Struct, rename=FROM):
    """Why this line: its dials against those of its peers."""

    value: str
    from_: str
    to: str
    as_of: str
    verdict: str
    summary: str
    findings: list[Finding]
    comparisons: int
    dials: int
    peer_dials: int
    peer_lines: int
    records: RecordsRead
