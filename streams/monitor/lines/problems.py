"""Pure: what the health says of lines and workflows.

    never rings         broken: none of its calls reaches a phone, whatever the other lines do
    fell together       degraded: calls still reach phones; mostly the list is to blame, which is nobody's fault here
    falls behind        degraded: it still carries calls, and the other lines carry theirs

The worst have names, the rest are counted.
"""

from collections.abc import Callable, Iterator
from typing import Final

from streams.monitor.health import MAX_NAMED, HealthState, Problem
from streams.monitor.lines.alarms import Behind, NeverRings
from streams.monitor.lines.comparing import Against
from streams.monitor.lines.notices import Notice, worst_first
from streams.monitor.lines.tallies import Span
from streams.monitor.lines.watch import LineState
from streams.monitor.links import line_path, workflow_path
from streams.rules.labels import short

LINES: Final = "/lines"


def line_problems(state: LineState, name_of: Callable[[str], str] = str) -> Iterator[Problem]:
    """At most MAX_NAMED problems with a name, and one that counts the others. Empty before the first look.

    name_of: a workflow's name by its id.
    """
    found = [*_never(state), *_fallen(state, name_of), *_behind(state)]
    yield from found[:MAX_NAMED]
    if rest := found[MAX_NAMED:]:
        worst: HealthState = "broken" if any(problem.state == "broken" for problem in rest) else "degraded"
        what = "more lines and workflows are in alarm"
        yield Problem(worst, what, f"{len(rest)} more: the list of lines has them", LINES)


def _never(state: LineState) -> Iterator[Problem]:
    for found in sorted(state.never.values(), key=lambda found: (-found.dials.judged, found.line)):
        yield Problem(
            "broken",
            f"line {short(found.line)} never rings",
            never_evidence(found),
            line_path(found.line),
            began_ms=found.since_ms,
        )


def _behind(state: LineState) -> Iterator[Problem]:
    for found in sorted(state.behind.values(), key=lambda found: (found.found.z, found.line)):
        if found.line not in state.never:
            whom = "its peers" if found.against is Against.PEERS else "its own past (no control group)"
            what = f"line {short(found.line)} falls behind {whom}"
            yield Problem(
                "degraded", what, behind_evidence(found, state), line_path(found.line), began_ms=found.since_ms
            )


def _fallen(state: LineState, name_of: Callable[[str], str]) -> Iterator[Problem]:
    for notice in worst_first(state.fallen.values()):
        what = f"all lines of workflow {short(name_of(notice.workflow))} fell together"
        link = workflow_path(notice.workflow)
        yield Problem("degraded", what, fallen_evidence(notice), link, began_ms=notice.since_ms)


def never_evidence(found: NeverRings) -> str:
    """How many of how many dials failed before they rang."""
    failed = found.dials.judged - found.dials.delivered
    return f"{failed} of {found.dials.judged} dials within {_minutes(found.seconds)} failed before a phone rang"


def behind_evidence(found: Behind, state: LineState) -> str:
    """The line's NER and that of its control, both with their dials."""
    compared = found.found
    own = f"NER {_percent(compared.observed, compared.n)} of {compared.n} dials within {_minutes(found.seconds)}"
    usual = _percent(compared.expected, compared.n)
    if found.band is not None:
        low, high = round(100 * found.band.low), round(100 * found.band.high)
        return f"{own}; in the same hour of the days before {usual}, {low} to {high} %"
    span = next((view.span for view in state.views if view.seconds == found.seconds), Span())
    peers = len(span.peers_of(found.line))
    lines = "the other line" if peers == 1 else f"{peers} other lines"
    return f"{own}; {lines} of the same workflows {usual} of {compared.control_n}; z {compared.z:.1f}"


def fallen_evidence(notice: Notice) -> str:
    """The share of delivered dials of all lines, now and before."""
    found = notice.found
    now, usual = _percent(found.observed, found.n), _percent(found.expected, found.n)
    return (
        f"{notice.lines} lines delivered {now} of {found.n} dials within {_minutes(notice.seconds)}, {usual} before:"
        " the list, the hour or the caller's number, not a line"
    )


def _percent(part: float, of: int) -> str:
    return f"{100 * part / of:.0f} %" if of else "n/a"


def _minutes(seconds: int) -> str:
    return f"{seconds // 60} min"
