"""Names of workflows, by their ids, as their windows tell them."""

from collections.abc import Mapping

from schemas.records.outcomes import WindowedOutcomes


class WorkflowNames:
    """What each workflow is called: as in its newest window that has a name. Read it from any thread.

    A workflow without a name is called by its id.
    """

    def __init__(self) -> None:
        self._names: dict[str, tuple[int, str]] = {}

    def learn(self, window: WindowedOutcomes) -> None:
        """Learn from one window of a workflow, in any order. Of one window the newer revision counts: give it last."""
        known = self._names.get(window.value)
        if window.workflow_names and (known is None or window.window_start_at >= known[0]):
            self._names[window.value] = window.window_start_at, usual_name(window.workflow_names)

    def forget(self, workflow_id: str) -> None:
        """Drop a workflow that has no windows any more. Repeat: safe."""
        self._names.pop(workflow_id, None)

    def of(self, workflow_id: str) -> str:
        """The name, or the id where there is none."""
        known = self._names.get(workflow_id)
        return known[1] if known else workflow_id


def usual_name(calls_by_name: Mapping[str, int]) -> str:
    """The name that most calls had; of equals the first in the order of text, so that any order of calls gives one."""
    return min(calls_by_name, key=lambda name: (-calls_by_name[name], name))
