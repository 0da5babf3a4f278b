"""`/`: is anything wrong?"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from schemas.runtime import instants
from streams.monitor.conservation.views import conservation_view
from streams.monitor.lag.verdicts import LAG_SLO_S
from streams.monitor.monitor import Monitor
from streams.monitor.overview.strip import StripValues, strip
from streams.monitor.overview.views import Overview, overview, overview_view
from streams.monitor.pages.drawing import Chart, Line, Strip
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.probe.views import probe_view

STRIPS: Final = {
    "received_per_s": Strip("Callbacks received per second", "/s", ()),
    "lag_seconds": Strip("Lag: age of the oldest record that the worker has not read", "s", ()),
    "ner": Strip("NER of all lines: dials that reached a phone", "%", ()),
}
DAY_MS: Final = 86_400_000
LABELS: Final = {"received_per_s": "received", "lag_seconds": "lag", "ner": "NER"}


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """The problems, worst first; the five numbers; lag and answer quality on one axis; the sums; the probe."""
    found = overview(monitor, asked.from_ms, asked.to_ms, asked.now_ms)
    sums = conservation_view(monitor.conservation, found.to_ms - DAY_MS, found.to_ms, asked.now_ms)
    values = {
        "figures": overview_view(found)["figures"],
        "source": source_of(found),
        "chart": chart_of(strip(monitor.history.series, found.from_ms, found.to_ms), asked),
        "conservation": sums,
        "conservation_as_of_ms": instants.parse(sums["as_of"]) if sums["as_of"] else None,
        "received": received_of(sums),
        "worst_hour_ms": instants.parse(sums["worst_hour"]["at"]) if sums["worst_hour"] else None,
        "conservation_source": conservation_source(found),
        "probe": probe_view(monitor.prober),
    }
    return Page("Overview", "overview.html", values)


def source_of(found: Overview) -> str:
    """The API's path of the same numbers."""
    query = urlencode({"from": instants.text(found.from_ms), "to": instants.text(found.to_ms)}, safe=":")
    return f"/api/overview?{query}"


def conservation_source(found: Overview) -> str:
    """The API's path of the conservation line: its worst hour is that of a day."""
    query = urlencode({"from": instants.text(found.to_ms - DAY_MS), "to": instants.text(found.to_ms)}, safe=":")
    return f"/api/conservation?{query}"


def received_of(sums: Mapping[str, Any]) -> dict[str, int] | None:
    """What the gateways received by what became of it; None while they are not known."""
    requests = next((step for step in sums["steps"] if step["step"] == "requests"), None)
    if requests is None or requests["difference"] is None:
        return None
    parts = requests["parts"]
    accepted, spooled, repeated = (parts.get(name, 0) for name in ("accepted", "spooled", "duplicate"))
    refused = requests["upstream"] - accepted - spooled - repeated
    return {
        "all": requests["upstream"],
        "accepted": accepted,
        "spooled": spooled,
        "repeated": repeated,
        "refused": refused,
    }


def chart_of(values: StripValues, asked: PageRequest) -> Chart:
    """Both halves, shaded where the worker was behind."""
    strips = [Strip(kind.label, kind.unit, [Line(LABELS[name], values.values[name])]) for name, kind in STRIPS.items()]
    hours = max(1, round((values.at_ms[-1] - values.at_ms[0]) / 3_600_000))
    means = f"the worker was over {LAG_SLO_S:.0f} s behind, so counts were late"
    return Chart(f"Calls and counting, {hours} h", values.at_ms, strips, values.over_slo, means, asked.zone.key)
