"""Workflow status change: the provider's JSON and our record. Pure.

The provider's page does not say which fields are always sent: those that identify the change are required, no others.
Source: AiRudder, "Workflow Status Change" (api-178704796).
"""

from typing import Final

from msgspec import Struct

from gateway.webhooks.field_types import ABSENT, Identifier
from gateway.webhooks.mapping import RecordMapping
from schemas.records.webhooks import WorkflowAction, WorkflowStatusChange

KIND: Final = "workflow-status-change"


class _Action(Struct, forbid_unknown_fields=True):
    nodetask_id: str
    nodetask_name: str = ABSENT
    node_type: str = ABSENT
    task_id: str = ABSENT
    task_status: str = ABSENT


class _Delivery(Struct, forbid_unknown_fields=True):
    workflow_id: Identifier
    workflow_name: str
    status: str
    actions: list[_Action]


MAPPING: Final = RecordMapping(
    _Delivery,
    WorkflowStatusChange,
    {_Action: WorkflowAction},
    essential={_Delivery: frozenset({"workflow_id"})},
)
