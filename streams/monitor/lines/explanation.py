"""The explanation of one line in one time range, from windows and from records: one object for API and page. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from schemas.runtime import instants
from streams.monitor.lines.dials import Dial, Tally
from streams.monitor.lines.explaining import Compared, Finding, compared, ranked
from streams.monitor.lines.sentences import NameOf, no_control_group, nothing_found, sentence, shown_value, too_few
from streams.monitor.records.ledger import Reading
from streams.rules.kpis import DIGITS, MIN_SAMPLES

Verdict = Literal["found", "nothing", "no_control", "too_few"]
Source = Literal["windows", "records"]
SOURCES: Final[tuple[Source, ...]] = ("windows", "records")


@dataclass(frozen=True)
class Sides:
    """The dials of a line and of its peers for the same workflows, from one source."""

    here: Counter[Dial]
    peers: Counter[Dial]
    lines: frozenset[str]

    @classmethod
    def of(cls, tally: Tally, line: str) -> Self:
        """Peers are the other lines that dialled for one of the line's workflows."""
        here = Counter(tally.get(line, {}))
        workflows = {dial.workflow for dial in here}
        theirs: Counter[Dial] = Counter()
        lines = set()
        for other, dials in tally.items():
            if not other or other == line:
                continue
            for dial, count in dials.items():
                if dial.workflow in workflows:
                    theirs[dial] += count
                    lines.add(other)
        return cls(here, theirs, frozenset(lines))


@dataclass(frozen=True)
class Explanation:
    """What sets a line apart in [from_ms, to_ms), UTC epoch ms. The summary is the first thing to read.

    compared: by source; peer_lines: how many other lines it was compared with.
    """

    line: str
    from_ms: int
    to_ms: int
    sides: Mapping[Source, Sides]
    compared: Mapping[Source, Compared]
    reading: Reading
    name_of: NameOf = str

    @property
    def findings(self) -> list[tuple[Finding, Source]]:
        """The telling ones first. What both sources show is told from the windows, which are exact."""
        source_of: dict[Finding, Source] = {}
        told: set[tuple[str, str, str]] = set()
        for source in SOURCES:
            for finding in self.compared[source].findings:
                name = finding.kind, finding.attribute, finding.value
                if name not in told:
                    told.add(name)
                    source_of[finding] = source
        return [(finding, source_of[finding]) for finding in ranked(source_of)]

    @property
    def dials(self) -> int:
        """The line's dials, by the source that knows more of them."""
        return max(sides.here.total() for sides in self.sides.values())

    @property
    def peer_dials(self) -> int:
        """The peers' dials that it was compared with."""
        return max(result.peer_n for result in self.compared.values())

    @property
    def peer_lines(self) -> int:
        """The lines that it was compared with."""
        return len(frozenset().union(*(sides.lines for sides in self.sides.values())))

    @property
    def comparisons(self) -> int:
        """How many comparisons were made; the more, the higher a z must be."""
        return sum(result.comparisons for result in self.compared.values())

    @property
    def verdict(self) -> Verdict:
        """Whether something sets the line apart, or why that cannot be said."""
        if self.dials < MIN_SAMPLES:
            return "too_few"
        if self.peer_dials < MIN_SAMPLES:
            return "no_control"
        return "found" if self.findings else "nothing"

    @property
    def summary(self) -> str:
        """The verdict in a sentence or two."""
        return " ".join(self._summary())

    def _summary(self) -> Iterator[str]:
        if self.verdict == "too_few":
            yield too_few(self.dials)
            return
        if self.verdict == "no_control":
            yield no_control_group(self.peer_dials)
        if self.findings:
            yield f"{self.sentence(self.findings[0][0])}."
        elif self.verdict == "nothing":
            yield nothing_found(self.dials, self.peer_dials, self.peer_lines, self.comparisons)

    def sentence(self, finding: Finding) -> str:
        """The finding in words."""
        return sentence(finding, self.name_of)

    def value(self, finding: Finding) -> str:
        """The finding's value in words."""
        return shown_value(finding, self.name_of)


def explain(
    line: str,
    from_ms: int,
    to_ms: int,
    windows: Tally,
    records: Tally,
    reading: Reading,
    name_of: NameOf,
) -> Explanation:
    """Compare by both sources: windows are exact, records tell more. name_of: what a workflow is called."""
    sides: dict[Source, Sides] = {"windows": Sides.of(windows, line), "records": Sides.of(records, line)}
    results: dict[Source, Compared] = {source: compared(both.here, both.peers) for source, both in sides.items()}
    return Explanation(line, from_ms, to_ms, sides, results, reading, name_of)


def explanation_view(found: Explanation, as_of_ms: int) -> dict[str, Any]:
    """The answer of /api/lines/{id}/explain; shares are 0 to 1."""
    reading = found.reading
    return {
        "value": found.line,
        "from": instants.text(found.from_ms),
        "to": instants.text(found.to_ms),
        "as_of": instants.text(as_of_ms),
        "verdict": found.verdict,
        "summary": found.summary,
        "findings": [_finding_view(found, finding, source) for finding, source in found.findings],
        "comparisons": found.comparisons,
        "dials": found.dials,
        "peer_dials": found.peer_dials,
        "peer_lines": found.peer_lines,
        "records": {
            "read": reading.records,
            "bytes": reading.bytes,
            "seconds": round(reading.seconds, 3),
            "undecodable": reading.undecodable,
            "dials": found.sides["records"].here.total(),
            "cut": reading.cut or None,
            "fault": reading.fault or None,
        },
    }


def _finding_view(found: Explanation, finding: Finding, source: Source) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "attribute": finding.attribute,
        "value": finding.value,
        "shown": found.value(finding),
        "share": round(finding.share, DIGITS),
        "peer_share": _rounded(finding.peer_share),
        "difference": round(finding.difference, DIGITS),
        "z": round(finding.z, 2),
        "n": finding.n,
        "peer_n": finding.peer_n,
        "outside": _rounded(finding.outside),
        "holds": _rounded(finding.holds),
        "source": source,
        "sentence": found.sentence(finding),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, DIGITS)
