"""The topics: name, key, record, cleanup and single writer of each. Creation, checks, docs and tests read this.

The deployment sets the number of partitions and of replicas (`streams topics apply`). The topics that the worker joins
by key must have the same number of partitions; `topics check` verifies it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

DEFAULT_PARTITIONS = 12

# Room for a body at the gateway's default limit (1 MiB) with its headers and the Avro framing around it.
MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_KEPT_BYTES = 5 * 1024 * 1024  # a whole record of any topic, kept with its origin and the reason


Cleanup = Literal["delete", "compact", "compact,delete"]


@dataclass(frozen=True)
class Topic:
    """One topic of the contract.

    `key` describes the record's key in words; `record` names the Avro schema `airudder.<record>`. `is_output` topics
    are for subscribers: their subjects are FULL_TRANSITIVE. `max_bytes` bounds one batch of records.
    """

    name: str
    key: str
    record: str
    writer: Literal["gateway", "worker"]
    cleanup: Cleanup = "delete"
    retention: timedelta = timedelta(days=7)
    is_output: bool = True
    max_bytes: int = MAX_RECORD_BYTES

    @property
    def short_name(self) -> str:
        """The name without what all have: `calls` of `airudder.calls.v1`. For commands and documents."""
        return self.name.removeprefix("airudder.").removesuffix(".v1")

    @property
    def subject(self) -> str:
        """The registry's name for the value's schema (TopicNameStrategy)."""
        return f"{self.name}-value"

    def config(self) -> dict[str, str]:
        """Kafka's topic configuration. LogAppendTime makes a record's timestamp its arrival: exact lag in seconds."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(int(self.retention.total_seconds() * 1000)),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self.max_bytes),
        }


CALLBACKS = Topic("airudder.callbacks.v1", "call_id of the first detail, else event_id", "Callback", "gateway")
QUARANTINE = Topic("airudder.quarantine.v1", "event_id", "QuarantinedRequest", "gateway")
CALLS = Topic("airudder.calls.v1", "call_id", "Call", "worker")
ANSWERS = Topic("airudder.answers.v1", "call_id", "Answer", "worker")
CALL_ATTEMPTS = Topic("airudder.call-attempts.v1", "final call's call_id", "CallAttempt", "worker")
WORKFLOW_OUTCOMES = Topic(
    "airudder.workflow-outcomes.v1",
    "workflow_id|window start (epoch ms)",
    "WindowedOutcomes",
    "worker",
    cleanup="compact,delete",
    retention=timedelta(days=30),
)
SIP_LINE_OUTCOMES = Topic(
    "airudder.sip-line-outcomes.v1",
    "sip_line|window start (epoch ms)",
    "WindowedOutcomes",
    "worker",
    cleanup="compact,delete",
    retention=timedelta(days=30),
)
LATE_CALLS = Topic("airudder.late-calls.v1", "call_id", "Call", "worker")
DEAD_LETTERS = Topic(
    "airudder.dead-letters.v1",
    "key of the failed record",
    "DeadLetter",
    "worker",
    retention=timedelta(days=30),
    max_bytes=MAX_KEPT_BYTES,
)

# The provider's other webhooks, uninterpreted, for subscribers.
WORKFLOW_STATUS_CHANGES = Topic("airudder.workflow-status-changes.v1", "workflow_id", "WorkflowStatusChange", "gateway")
CHATBOT_SESSIONS = Topic("airudder.chatbot-sessions.v1", "call_id of the chat session", "ChatbotSessionEnd", "gateway")
PREDICTIVE_DIALER_STATUSES = Topic(
    "airudder.predictive-dialer-statuses.v1",
    "call_id, else task_id, else event_id",
    "PredictiveDialerStatus",
    "gateway",
)
EVENTS = Topic("airudder.events.v1", "event_id", "Event", "gateway")

# Internal: between the worker's agents. The key is the one of the next agent's state.
REKEYED_DETAILS = Topic("airudder.rekeyed-details.v1", "call_id", "Callback", "worker", is_output=False)
OUTCOMES_BY_WORKFLOW = Topic(
    "airudder.outcomes-by-workflow.v1", "workflow_id", "OutcomeChange", "worker", is_output=False
)
OUTCOMES_BY_SIP_LINE = Topic("airudder.outcomes-by-sip-line.v1", "sip_line", "OutcomeChange", "worker", is_output=False)

TOPICS: tuple[Topic, ...] = (
    CALLBACKS,
    QUARANTINE,
    CALLS,
    ANSWERS,
    CALL_ATTEMPTS,
    WORKFLOW_OUTCOMES,
    SIP_LINE_OUTCOMES,
    LATE_CALLS,
    DEAD_LETTERS,
    REKEYED_DETAILS,
    OUTCOMES_BY_WORKFLOW,
    OUTCOMES_BY_SIP_LINE,
    WORKFLOW_STATUS_CHANGES,
    CHATBOT_SESSIONS,
    PREDICTIVE_DIALER_STATUSES,
    EVENTS,
)

OUTPUTS = tuple(topic for topic in TOPICS if topic.is_output)

BY_NAME = {topic.name: topic for topic in TOPICS}
BY_SHORT_NAME = {topic.short_name: topic for topic in TOPICS}

# The worker's input. One worker owns the same partition number of all of these.
CO_PARTITIONED = (CALLBACKS, REKEYED_DETAILS, OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE)

# The worker's tables; each has a changelog with one partition per partition of the topics that it follows.
CALLS_TABLE = "calls"
WORKFLOW_WINDOWS_TABLE = "workflow-windows"
SIP_LINE_WINDOWS_TABLE = "sip-line-windows"
TABLES = (CALLS_TABLE, WORKFLOW_WINDOWS_TABLE, SIP_LINE_WINDOWS_TABLE)

WEBHOOKS_PATH = "/webhooks/airudder/"  # and a webhook's name: where the provider posts it
CALL_COMPLETION = "call-completion"  # the webhook of the calls
CALL_COMPLETION_PATH = WEBHOOKS_PATH + CALL_COMPLETION

SYNTHETIC_WORKFLOW_ID = "__probe__"
SYNTHETIC_HEADER = "synthetic"


def changelog_name(app_id: str, table: str) -> str:
    """The name that Faust gives the changelog of a table."""
    return f"{app_id}-{table}-changelog"
