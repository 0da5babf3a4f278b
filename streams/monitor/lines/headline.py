"""How a line does, in one sentence. Pure."""

from typing import Literal, NamedTuple

from streams.monitor.lines.alarms import NEVER_SHARE
from streams.monitor.lines.comparing import Standing, standing, with_peers
from streams.monitor.lines.sentences import counted, per_cent
from streams.monitor.lines.tallies import Span
from streams.rules.kpis import MIN_SAMPLES

State = Literal["broken", "degraded", "ok", "unknown"]


class Headline(NamedTuple):
    """The state in a word of the pages, and why."""

    state: State
    text: str


def headline(span: Span, line: str) -> Headline:
    """The line against its peers over the span. Its words are those of the alarm."""
    own = span.of_line(line)
    if own.judged < MIN_SAMPLES:
        return Headline("unknown", f"Too few dials to say: {own.judged}, and {MIN_SAMPLES} are needed")
    ner = per_cent(own.delivered / own.judged)
    if own.delivered <= NEVER_SHARE * own.judged:
        return Headline("broken", f"Never rings: {counted(own.delivered, 'dial')} of {own.judged} reached a phone")
    found = with_peers(span, line)
    if min(found.n, found.control_n) < MIN_SAMPLES:
        return Headline("unknown", f"NER {ner} of {counted(own.judged, 'dial')}; no control group to compare with")
    peers = counted(len(span.peers_of(line)), "peer line")
    told = f"NER {per_cent(found.observed / found.n)}, {per_cent(found.expected / found.n)} on {peers}"
    if standing(found) is Standing.BEHIND:
        return Headline("degraded", f"Behind its peers: {told}: z {found.z:.0f}, n {found.n}")
    return Headline("ok", f"As its peers: {told}, n {found.n}")
