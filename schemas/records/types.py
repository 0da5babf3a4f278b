"""Every type of record by its Avro name, including nested ones."""

from collections.abc import Mapping
from typing import Final

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.kept import DeadLetter, KeptHeader, QuarantinedRequest
from schemas.records.outcomes import (
    CallOutcome,
    LineWorkflowOutcomes,
    OutcomeChange,
    QuestionOutcomes,
    QuestionState,
    WindowedOutcomes,
)
from schemas.records.record import Record
from schemas.records.webhooks import (
    Callback,
    CallDetail,
    ChatbotMessage,
    ChatbotMessageContent,
    ChatbotSessionEnd,
    Event,
    PredictiveDialerStatus,
    QuestionAnswer,
    RedialCall,
    WorkflowAction,
    WorkflowStatusChange,
)

TYPES: Final[Mapping[str, type[Record]]] = {
    kind.__name__: kind
    for kind in (
        QuestionAnswer,
        RedialCall,
        CallDetail,
        Callback,
        WorkflowAction,
        WorkflowStatusChange,
        ChatbotMessageContent,
        ChatbotMessage,
        ChatbotSessionEnd,
        PredictiveDialerStatus,
        Event,
        Call,
        Answer,
        CallAttempt,
        QuestionOutcomes,
        LineWorkflowOutcomes,
        WindowedOutcomes,
        QuestionState,
        CallOutcome,
        OutcomeChange,
        QuarantinedRequest,
        KeptHeader,
        DeadLetter,
    )
}
