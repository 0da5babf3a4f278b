"""`/`: is anything wrong?"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from schemas.runtime import instants
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
LABELS: Final = {"received_per_s": "received", "lag_seconds": "lag", "ner": "NER"}


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """The problems, worst first; the five numbers; lag and answer quality on one axis; the probe."""
    found = overview(monitor, asked.from_ms, asked.to_ms, asked.now_ms)
    values = {
        "figures": overview_view(found)["figures"],
        "source": source_of(found),
        "chart": chart_of(strip(monitor.history.series, found.from_ms, found.to_ms), asked),
        "probe": probe_view(monitor.prober),
    }
    return Page("Overview", "overview.html", values)


def source_of(found: Overview) -> str:
    """The API's path of the same numbers."""
    query = urlencode({"from": instants.text(found.from_ms), "to": instants.text(found.to_ms)}, safe=":")
    return f"/api/overview?{query}"


def chart_of(values: StripValues, asked: PageRequest) -> Chart:
    """Both halves, shaded where the worker was behind."""
    strips = [Strip(kind.label, kind.unit, [Line(LABELS[name], values.values[name])]) for name, kind in STRIPS.items()]
    hours = max(1, round((values.at_ms[-1] - values.at_ms[0]) / 3_600_000))
    means = f"the worker was over {LAG_SLO_S:.0f} s behind, so counts were late"
    return Chart(f"Calls and counting, {hours} h", values.at_ms, strips, values.over_slo, means, asked.zone.key)
