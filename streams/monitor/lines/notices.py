"""Pure: the workflows all of whose lines fell together: no line's fault, but the list's, the hour's or the number's.

Each line is compared with its own hour before the last one. While a notice lasts, that hour stays the measure, so that
the notice does not end because the fall has become the past.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.monitor.lines.alarms import Mended, SpanView
from streams.monitor.lines.comparing import Standing, standing, with_past
from streams.monitor.lines.tallies import Dials
from streams.rules.proportions import Comparison

MIN_LINES: Final = 2
# A line with fewer dials on either side is not asked whether it fell.
MIN_DIALS: Final = 10
# Nearly all dials must be on lines that fell themselves, each by so much: chance may spare one of many.
FELL_SHARE: Final = 0.8
FELL_DROP: Final = -0.1
# After so long what is now has become usual.
USUAL_AFTER_MS: Final = 6 * 3600 * 1000

Lines = Mapping[str, Dials]


@dataclass(frozen=True)
class Notice:
    """A workflow whose lines fell together. seconds: the span that says so; before: its lines' usual dials."""

    workflow: str
    since_ms: int
    seconds: int
    lines: int
    found: Comparison
    before: Lines


class WorkflowNotices:
    """The workflows with a notice. Feed `update` with the spans of now, the shortest first, and the hour before."""

    def __init__(self) -> None:
        self.fallen: dict[str, Notice] = {}
        self._mended = Mended()

    def update(
        self,
        views: Sequence[SpanView],
        before: Mapping[str, Lines],
        is_real: Callable[[str, int], bool],
        since: Callable[[str, Lines], int],
        now_ms: int,
    ) -> None:
        """is_real: whether the fall of a workflow over a span is none of cancelled dials; since: where it began."""
        self._mended.forget_before(views[-1].start_ms)
        kept = {name: notice.before for name, notice in self.fallen.items()}
        fallen = {}
        for workflow, lines in views[-1].span.workflows.items():
            usual = kept.get(workflow) or before.get(workflow)
            if usual is None or (len(lines) < MIN_LINES and workflow not in kept):
                continue
            notice = self._notice(workflow, views, usual, is_real, since)
            if notice is not None and now_ms - notice.since_ms < USUAL_AFTER_MS:
                fallen[workflow] = notice
        self.fallen = fallen

    def _notice(
        self,
        workflow: str,
        views: Sequence[SpanView],
        usual: Lines,
        is_real: Callable[[str, int], bool],
        since: Callable[[str, Lines], int],
    ) -> Notice | None:
        current = self.fallen.get(workflow)
        for view in views:
            now = view.span.workflows.get(workflow, {})
            found = with_past(now, usual)
            state = self._mended.judge(workflow, view, standing(found), current)
            if state is Standing.WELL:
                return None
            if state is Standing.BEHIND and (
                current or (_fell_together(now, usual) and is_real(workflow, view.seconds))
            ):
                since_ms = current.since_ms if current else since(workflow, usual)
                return Notice(workflow, since_ms, view.seconds, len(now), found, usual)
        return current


def _fell_together(now: Lines, before: Lines) -> bool:
    asked = [(dials, before[line]) for line, dials in now.items() if _is_asked(dials, before.get(line))]
    fell = [dials.attempts for dials, usual in asked if _drop(dials, usual) <= FELL_DROP]
    return len(fell) >= MIN_LINES and sum(fell) >= FELL_SHARE * sum(dials.attempts for dials, _ in asked)


def _is_asked(now: Dials, before: Dials | None) -> bool:
    return before is not None and min(now.attempts, before.attempts) >= MIN_DIALS and before.delivered > 0


def _drop(now: Dials, before: Dials) -> float:
    return (now.delivered * before.attempts) / (now.attempts * before.delivered) - 1


def worst_first(notices: Iterable[Notice]) -> list[Notice]:
    """By how much they lost, then by name."""
    return sorted(notices, key=lambda notice: (notice.found.relative, notice.workflow))
