"""A worker that loses: for tests of what finds it.

A call of the workflow `unhandled` is dropped before it is handled; one of `uncounted` never reaches the windows.
"""

from __future__ import annotations

import os
from typing import Any

from streams.worker.calls_agent import CallsAgent
from streams.worker.main import run


def lose() -> None:
    process_detail, changes = CallsAgent._process_detail, CallsAgent._changes

    def dropping(self: CallsAgent, rows: Any, record: Any, callback: Any) -> Any:
        return [] if callback.workflow_id == "unhandled" else process_detail(self, rows, record, callback)

    def telling_nobody(self: CallsAgent, record: Any, decision: Any, fanned: Any, *rest: Any) -> Any:
        return [] if fanned.outcome.workflow_id == "uncounted" else changes(self, record, decision, fanned, *rest)

    CallsAgent._process_detail = dropping  # type: ignore[method-assign]
    CallsAgent._changes = telling_nobody  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    lose()
    run(os.environ)
