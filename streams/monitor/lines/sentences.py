"""Findings in plain English. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from streams.monitor.lines.dials import REACHED, UNDECIDED
from streams.monitor.lines.explaining import Finding
from streams.rules.dispositions import ANSWERED, PRE_ALERT_FAILURE
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.labels import short

MAX_SHOWN_CHARS: Final = 80

NameOf = Callable[[str], str]

_OUTCOMES: Final = {
    ANSWERED: ("were answered", "were"),
    REACHED: ("reached a phone and were not answered", "did"),
    PRE_ALERT_FAILURE: ("failed before a phone rang", "did"),
    UNDECIDED: ("had a bad number or an unknown end", "had"),
}
_ENDS: Final = {
    "ring": "have {}",
    "ring_time": "have a ring time of {}",
    "hangup_type": "have hangup type {}",
    "result_label": "have result label {}",
}
_SEGMENTS: Final = {
    "workflow": "for workflow {}",
    "caller_prefix": "from caller prefix {}",
    "hour": "of the hour from {}",
    "attempt": "that are attempt {}",
}


def sentence(finding: Finding, name_of: NameOf) -> str:
    """One finding. name_of: what a workflow is called."""
    return _segment(finding, name_of) if finding.kind == "segment" else _difference(finding)


def shown_value(finding: Finding, name_of: NameOf) -> str:
    """The value as people read it: a workflow by its name, an hour by the clock."""
    if finding.attribute == "workflow":
        return short(name_of(finding.value), MAX_SHOWN_CHARS)
    if finding.attribute == "hour":
        return datetime.fromtimestamp(int(finding.value) / 1000, UTC).strftime("%H:%M UTC on %Y-%m-%d")
    return short(finding.value, MAX_SHOWN_CHARS)


def nothing_found(n: int, peer_n: int, lines: int, comparisons: int) -> str:
    """What is said of a line that is as its peers are."""
    peers = counted(lines, "peer line")
    return (
        f"Nothing sets this line apart: {n} of its dials against {peer_n} of {peers}, "
        f"{counted(comparisons, 'comparison')}, none beyond chance."
    )


def no_control_group(peer_n: int) -> str:
    """What is said of a line without peers."""
    if not peer_n:
        return "No control group: no other line dialled for its workflows in this time."
    return f"No control group: its peers made {counted(peer_n, 'dial')}, and {MIN_SAMPLES} are needed."


def too_few(n: int) -> str:
    """What is said of a line that hardly dialled."""
    return f"Too few dials to say: {n}, and {MIN_SAMPLES} are needed. Ask for a longer time."


def counted(number: int, noun: str) -> str:
    """`1 dial`, `2 dials`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def per_cent(share: float) -> str:
    """A share of 0 to 1 in whole per cent; one that would round to none or all keeps a digit."""
    text = f"{100 * share:.0f}"
    if text == "0" and share > 0:
        return f"{100 * share:.1f} %" if share >= 0.001 else "<0.1 %"
    if text == "100" and share < 1:
        return f"{100 * share:.1f} %" if share < 0.999 else ">99.9 %"
    return f"{text} %"


def _difference(finding: Finding) -> str:
    if finding.attribute == "outcome":
        predicate, verb = _OUTCOMES[finding.value]
    else:
        predicate, verb = _ENDS[finding.attribute].format(shown_value(finding, str)), "do"
    peers = per_cent(finding.peer_share or 0.0)
    return f"{per_cent(finding.share)} of its dials {predicate}; {peers} of its peers' {verb}: {_evidence(finding)}"


def _segment(finding: Finding, name_of: NameOf) -> str:
    place = _SEGMENTS[finding.attribute].format(shown_value(finding, name_of))
    others = f"{per_cent(finding.outside or 0.0)} of its other dials"
    if finding.peer_share is not None:
        alike = " likewise" if finding.in_segment else ""
        others += f" and {per_cent(finding.peer_share)} of its peers' dials{alike}"
    held = f"{per_cent(finding.holds or 0.0)} of its failures lie there"
    return f"{per_cent(finding.share)} of its dials {place} fail; {others} do: {_evidence(finding)}; {held}"


def _evidence(finding: Finding) -> str:
    return f"z {abs(finding.z):.0f}, n {finding.n}"
