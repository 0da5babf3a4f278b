"""The first page, rendered on the server: tables that need no script. Everything from outside is escaped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor import instants
from streams.monitor.errors import NotReadyError
from streams.monitor.health import Health, HealthState
from streams.monitor.labels import short
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import WORST_FIRST
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.store import Dimension
from streams.monitor.outcomes.views import phase
from streams.rules.dispositions import DISPOSITIONS
from streams.rules.kpis import Kpi, kpis

MAX_ROWS = 100
MAX_SHOWN_CHARS = 80
MAX_LINKED_CHARS = 500
OLD_AFTER_S = 10.0

DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="/assets/page.css">
<script src="/assets/page.js" type="module"></script>
<noscript><meta http-equiv="refresh" content="10"></noscript>
</head>
<body>
<header><h1>AiRudder streams</h1><p id="feed">reload for news</p></header>
<main id="live" data-health="{state}">
{status}
<section id="lag" data-reads="lag"><h2>Lag <span class="age">{lag_age}</span></h2>{lag}</section>
<section id="outcomes" data-reads="outcomes"><h2>Workflows <span class="age">{outcomes_age}</span></h2>
{workflows}</section>
<section data-reads="outcomes"><h2>SIP lines <span class="age">{outcomes_age}</span></h2>{sip_lines}</section>
</main>
<footer>The same as JSON: <a href="/api/health">health</a>, <a href="/api/lag">lag</a>,
<a href="/api/outcomes/workflows">workflows</a>,
<a href="/api/outcomes/sip-lines">SIP lines</a>; <a href="/metrics">metrics</a>,
<a href="/readyz">readiness</a></footer>
</body>
</html>
"""


ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E{shape}%3C/svg%3E"
ICON_SHAPES: dict[HealthState, str] = {
    "ok": "%3Ccircle cx='4' cy='4' r='3' fill='%231a7f4b'/%3E",
    "degraded": "%3Cpath d='M4 1 7 7H1z' fill='%23a15c00'/%3E",
    "broken": "%3Crect x='1' y='1' width='6' height='6' fill='%23d0423a'/%3E",
    "blind": "%3Cpath d='M1 1h6v6H1zM3 3v2h2V3z' fill='%23d0423a' fill-rule='evenodd'/%3E",
}
"""Told apart by shape, too."""


def render_page(monitor: Monitor, now_ms: int | None = None) -> str:
    """A complete HTML document of what the monitor knows now; what it does not know is said in words."""
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    health = monitor.health(now_ms)
    return DOCUMENT.format(
        title=f"{health.state.upper()} · AiRudder streams",
        icon=ICON.format(shape=ICON_SHAPES[health.state]),
        state=health.state,
        status=_status(health),
        lag_age=_age(monitor.poller.as_of_ms, now_ms),
        outcomes_age=_age(monitor.reader.as_of_ms, now_ms),
        lag=_lag_section(monitor),
        workflows=_outcomes_section(monitor, "workflow", "Workflow", now_ms),
        sip_lines=_outcomes_section(monitor, "sip_line", "SIP line", now_ms),
    )


def _status(health: Health) -> str:
    rows = "".join(
        f'<li><a href="{escape(p.link)}">{escape(p.what)}</a>: {escape(p.evidence)} '
        f"<small>since {instants.text(p.since_ms or health.as_of_ms)}</small></li>"
        for p in health.problems[:MAX_ROWS]
    )
    problems = f'<ul class="problems">{rows}</ul>' if rows else ""
    return f'<p class="status {health.state}" id="headline" role="status">{escape(health.headline)}</p>{problems}'


def _age(as_of_ms: int | None, now_ms: int) -> str:
    """Empty for what is fresh: old numbers say how old they are."""
    if as_of_ms is None or now_ms - as_of_ms <= OLD_AFTER_S * 1000:
        return ""
    return f"{(now_ms - as_of_ms) / 1000:.0f} s old"


def _table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells come as finished <td> elements."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _text(value: object) -> str:
    return f"<td>{escape(str(value))}</td>"


def _number(value: object) -> str:
    return f'<td class="number">{escape(str(value))}</td>'


def _lag_section(monitor: Monitor) -> str:
    try:
        snapshot = monitor.poller.snapshot
    except NotReadyError as error:
        return f"<p>{escape(str(error))}</p>"
    heads = ("Group", "Members", "Topic", "Partitions", "Records", "Seconds", "Verdict")
    return _table(f"As of {instants.text(snapshot.as_of_ms)}", heads, _lag_rows(snapshot))


def _lag_rows(snapshot: LagSnapshot) -> Iterable[list[str]]:
    for group in snapshot.groups:
        topics = sorted({row.topic for row in group.partitions})
        for topic in topics:
            yield _lag_row(group, topic, [row for row in group.partitions if row.topic == topic])
        if not topics:
            yield [_text(group.consumergroup), _number(group.members), '<td colspan="5">nothing committed yet</td>']


def _lag_row(group: GroupLag, topic: str, rows: list[PartitionLag]) -> list[str]:
    records = [row.lag for row in rows if row.lag is not None]
    seconds = [row.lag_seconds for row in rows if row.lag_seconds is not None]
    worst = min((row.verdict for row in rows), key=WORST_FIRST.index)
    guilty = [str(row.partition) for row in rows if row.verdict == worst] if worst not in ("ok", "unknown") else []
    where = f" in {', '.join(guilty)}" if guilty else ""
    rewound = sum(row.rewound_by for row in rows)
    again = f"; {rewound} read again" if rewound else ""
    return [
        _text(short(group.consumergroup, MAX_SHOWN_CHARS)),
        _number(group.members),
        _text(topic),
        _number(len(rows)),
        _number(sum(records) if records else "n/a"),
        _number(f"{max(seconds):.1f}" if seconds else "n/a"),
        f'<td><span class="verdict {worst}">{worst}</span>{escape(where)}{again}</td>',
    ]


def _outcomes_section(monitor: Monitor, dimension: Dimension, title: str, now_ms: int) -> str:
    try:
        store = monitor.reader.caught_up_store
    except NotReadyError as error:
        return f"<p>{escape(str(error))}</p>"
    newest = sorted(store.newest(dimension), key=lambda window: (-window.window_start_at, -window.calls, window.value))
    if not newest:
        return "<p>No calls yet.</p>"
    heads = (title, "Window (UTC)", "Calls", "Answered", "Dials", "ASR", "NER", "Dispositions of dials")
    more = len(newest) - MAX_ROWS
    note = f"<p>{more} more in the JSON.</p>" if more > 0 else ""
    caption = f"The newest window of each, {monitor.settings.window_s} s long"
    return _table(caption, heads, (_outcome_row(dimension, window, now_ms) for window in newest[:MAX_ROWS])) + note


def _outcome_row(dimension: Dimension, window: WindowedOutcomes, now_ms: int) -> list[str]:
    values, samples = kpis(window)
    stage = phase(window, now_ms)
    return [
        f'<th scope="row">{_named(dimension, window.value)}</th>',
        f'<td>{instants.text(window.window_start_at)} <span class="open">{stage}</span></td>',
        _number(window.calls),
        _number(window.answered),
        _number(window.attempts),
        *(_ratio(values[name], samples[name]) for name in ("asr", "ner")),
        f"<td>{_bar(window)}</td>",
    ]


def _named(dimension: Dimension, value: str) -> str:
    """The value, cut where it is longer than anybody reads, with a link where one can be followed."""
    text = escape(short(value, MAX_SHOWN_CHARS)) or "(none)"
    if not 0 < len(value) <= MAX_LINKED_CHARS:
        return text
    path = "workflows" if dimension == "workflow" else "sip-lines"
    return f'<a href="/api/outcomes/{path}/{quote(value, safe="")}">{text}</a>'


def _ratio(kpi: Kpi | None, n: int) -> str:
    if kpi is None:
        return f'<td class="number faint">n/a (n={n})</td>'
    share, low, high = ((kpi[key] or 0.0) * 100 for key in ("value", "low", "high"))
    return f'<td class="number" title="95 %: {low:.0f} to {high:.0f} %, n={n}">{share:.0f} %</td>'


def _bar(window: WindowedOutcomes) -> str:
    """A bar of shares with the counts in words below it."""
    counts = [(name, window.attempt_dispositions.get(name, 0)) for name in DISPOSITIONS]
    shown = [(name, count) for name, count in counts if count > 0]
    total = sum(count for _, count in shown) or 1
    parts = "".join(f'<i class="{name}" style="width:{100 * count / total:.2f}%"></i>' for name, count in shown)
    words = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in shown)
    return f'<span class="bar" aria-hidden="true">{parts}</span><small>{words}</small>'
