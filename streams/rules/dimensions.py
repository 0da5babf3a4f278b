"""What windows are kept by: the workflow and the SIP line of a call. Pure.

A third dimension is one more row here, its topics and table in `schemas/topics.py`, and its field in CallOutcome.
"""

from dataclasses import dataclass
from typing import Final

from schemas.records.calls import Call
from schemas.records.outcomes import CallOutcome
from schemas.topics import (
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    SIP_LINE_OUTCOMES,
    SIP_LINE_WINDOWS_TABLE,
    WORKFLOW_OUTCOMES,
    WORKFLOW_WINDOWS_TABLE,
    Topic,
)


@dataclass(frozen=True, eq=False)  # compared by identity: there is one of each
class Dimension:
    """One dimension. `name` is what WindowedOutcomes calls it; `key`, the field of an outcome with the value.

    changes, results, table: what its agent reads, writes, and keeps the windows in.
    url, title: in the monitor's paths and on its page. max_labels: values that its metrics name, the rest is one.
    has_calls: its changes carry the record of the call, so that a late call is published, and once.
    by_workflow: its windows also count dials by workflow, to compare a line with its peers.
    """

    name: str
    key: str
    changes: Topic
    results: Topic
    table: str
    url: str
    title: str
    max_labels: int
    has_calls: bool = False
    by_workflow: bool = False

    def value_of(self, counted: CallOutcome | Call) -> str:
        """The workflow_id or sip_line of a call."""
        value: str = getattr(counted, self.key)
        return value


WORKFLOW: Final = Dimension(
    name="workflow",
    key="workflow_id",
    changes=OUTCOMES_BY_WORKFLOW,
    results=WORKFLOW_OUTCOMES,
    table=WORKFLOW_WINDOWS_TABLE,
    url="workflows",
    title="Workflow",
    max_labels=200,
    has_calls=True,
)
SIP_LINE: Final = Dimension(
    name="sip_line",
    key="sip_line",
    changes=OUTCOMES_BY_SIP_LINE,
    results=SIP_LINE_OUTCOMES,
    table=SIP_LINE_WINDOWS_TABLE,
    url="sip-lines",
    title="SIP line",
    max_labels=100,
    by_workflow=True,
)
DIMENSIONS: Final = (WORKFLOW, SIP_LINE)
