"""The shapes of answers about the process, lag, the past and single records, as types.

The views build dicts; these say what is in them, and a test holds every answer to them. Instants are texts such as
`2024-03-11T13:25:00Z`.
"""

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

# A field of this name cannot be written in Python.
FROM: Final = {"from_": "from"}

Values = list[float | None]


class Problem(Struct):
    """An error (RFC 9457). `code` is stable where it is there."""

    type: str
    title: str
    status: int
    detail: str
    code: str | UnsetType = UNSET


class ListedEndpoint(Struct):
    """One path, what it answers, and its parameters."""

    path: str
    answers: str
    parameters: list[str]


class Index(Struct):
    """Every path. notes: what is not as an operator may expect."""

    endpoints: list[ListedEndpoint]
    notes: list[str] | UnsetType = UNSET


class Alive(Struct):
    """The process answers."""

    status: str


class Ready(Struct):
    """Whether everything watched was read lately and whole. notes: what is wrong with others."""

    status: str
    reasons: list[str]
    notes: list[str]


class HealthProblem(Struct):
    """Something that is wrong, since when, and where to look."""

    what: str
    since: str
    evidence: str
    link: str


class HealthAnswer(Struct):
    """`broken`, `blind`, `degraded` or `ok`, with every problem, worst first."""

    state: str
    as_of: str
    headline: str
    problems: list[HealthProblem]


class LagOfPartition(Struct):
    """One partition of one group; null: nobody can know. `state` is its verdict."""

    topic: str
    partition: int
    current_offset: int | None
    begin_offset: int
    end_offset: int
    lag: int | None
    lag_seconds: float | None
    rewound_by: int
    state: str


class LagOfGroup(Struct):
    """One consumer group. drain_seconds is null for a topic whose backlog does not shrink."""

    consumergroup: str
    state: str
    members: int
    drain_seconds: dict[str, float | None]
    partitions: list[LagOfPartition]


class Missing(Struct):
    """What could not be read, and why."""

    what: str
    why: str


class Lag(Struct):
    """The newest lag of every watched group."""

    as_of: str
    groups: list[LagOfGroup]
    unseen: list[Missing] | UnsetType = UNSET


class SeriesKind(Struct):
    """One kind of series: its unit, and how points are joined to a longer step."""

    name: str
    unit: str
    joined: str
    meaning: str


class SeriesNames(Struct):
    """Without a name: the series that there are. kept: `disk` or `memory`; fault: why it is not the disk."""

    kept: str
    fault: str | None
    names: list[str]
    kinds: list[SeriesKind]


class Series(Struct, rename=FROM):
    """One series: a value for each step from `from` on; null where nobody looked."""

    name: str
    unit: str
    joined: str
    from_: str
    to: str
    step_s: int
    values: Values
    kept: str
    fault: str | None


class VerdictChange(Struct):
    """A partition's verdict from then on; null: it was no longer watched."""

    at: str
    partition: int
    verdict: str | None


class LagHistory(Struct, rename=FROM):
    """Lag, rates and verdicts of one group's topic over time."""

    consumergroup: str
    topic: str
    from_: str
    to: str
    step_s: int
    lag_seconds: Values
    lag_records: Values
    rate_in: Values
    rate_out: Values
    verdicts: list[VerdictChange]
    kept: str
    fault: str | None


class ProbeHop(Struct):
    """One hop of the probe's way; its counts are since `since`."""

    hop: str
    topic: str | None
    state: str
    sent: int
    received: int
    lost: int
    in_flight: int
    roundtrip_s: float | None
    last_received_at: str | None


class SentProbe(Struct):
    """What became of one probe: seconds to each hop. late_s: of those that came after their deadline."""

    sent_at: str
    state: str
    lost_at: str | None
    reason: str | None
    roundtrip_s: dict[str, float]
    late_s: dict[str, float]


class Probe(Struct):
    """The newest probes, hop by hop. Where none are sent there is `is_on` alone."""

    is_on: bool
    interval_s: float | UnsetType = UNSET
    deadline_s: float | UnsetType = UNSET
    since: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    lost_at: str | UnsetType | None = UNSET
    lost_in_a_row: int | UnsetType = UNSET
    lost_since: str | UnsetType | None = UNSET
    fault: str | UnsetType | None = UNSET
    hops: list[ProbeHop] | UnsetType = UNSET
    probes: list[SentProbe] | UnsetType = UNSET


class RecordHeader(Struct):
    """One header; a name that is not ours is masked, as its value is."""

    name: str
    value: str | None


class RecordError(Struct):
    """Why a value is not shown."""

    code: str
    detail: str


class ShownRecord(Struct):
    """One record without personal data. Its offset is later than the one asked for where no reader gets that."""

    offset: int
    appended_at: str
    key_bytes: int | None
    value_bytes: int | None
    schema_id: int | None
    schema_name: str | None
    headers: list[RecordHeader]
    headers_count: int
    value: dict[str, Any] | None
    error: RecordError | None


class RecordAnswer(Struct):
    """The record at an offset; `absent` says why there is none."""

    topic: str
    partition: int
    offset: int
    begin_offset: int
    end_offset: int
    as_of: str
    absent: str | None
    record: ShownRecord | None


class WorstHour(Struct):
    """The hour with the highest difference."""

    at: str
    difference: float


class ConservationStep(Struct):
    """What must be equal, and by how much it is not; null: not known, and `why`."""

    step: str
    equal: str
    upstream: float | None
    downstream: float | None
    waiting: float | None
    difference: float | None
    is_exact: bool
    since: str | None
    why: str | None
    parts: dict[str, float]


class Conservation(Struct):
    """Whether what was received is accounted for: `balanced`, `unbalanced` or `not_known`."""

    as_of: str | None
    state: str
    difference: float | None
    worst_hour: WorstHour | None
    steps: list[ConservationStep]
    kept: str
    fault: str | None


class Loss(Struct):
    """One row. state: `ok` when it is over; since, last null: before this monitor looked."""

    what: str
    count: int
    state: str
    since: str | None
    last: str | None
    command: str


class LossSection(Struct):
    """One kind of loss, the worst row first. count, state null: nobody can say, and `unknown` says why."""

    kind: str
    title: str
    meaning: str
    count: int | None
    state: str | None
    unknown: str | None
    rows: list[Loss]


class Losses(Struct):
    """What was lost or set aside."""

    as_of: str
    sections: list[LossSection]
