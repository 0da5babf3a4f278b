"""The first page, rendered on the server: tables that need no script. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from schemas.records import WindowedOutcomes
from streams.monitor.errors import NotReadyError
from streams.monitor.instants import written
from streams.monitor.kpis import Kpi, kpis
from streams.monitor.lag import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.monitor import Monitor
from streams.monitor.stats import Dimension, OutcomeStore, WindowQuery
from streams.monitor.verdicts import State

MAX_ROWS = 100
WORST_FIRST: tuple[State, ...] = ("stop", "stall", "rewind", "warn", "unknown", "ok")
DISPOSITIONS = (
    "answered",
    "user_busy",
    "no_answer",
    "rejected",
    "subscriber_absent",
    "subscriber_barred",
    "bad_number",
    "pre_alert_failure",
    "unknown",
)

DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AiRudder streams</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/page.css">
<script src="/assets/page.js" defer></script>
<noscript><meta http-equiv="refresh" content="10"></noscript>
</head>
<body>
<header><h1>AiRudder streams</h1><p id="feed">reload for news</p></header>
<main id="live">
{status}
<section><h2>Lag</h2>{lag}</section>
<section><h2>Workflows</h2>{workflows}</section>
<section><h2>SIP lines</h2>{sip_lines}</section>
</main>
<footer>The same as JSON: <a href="/api/lag">lag</a>, <a href="/api/outcomes/workflows">workflows</a>,
<a href="/api/outcomes/sip-lines">SIP lines</a>; <a href="/metrics">metrics</a>,
<a href="/readyz">readiness</a></footer>
</body>
</html>
"""


def render_page(monitor: Monitor) -> str:
    """A complete HTML document of what the monitor knows now; what it does not know yet is said in words."""
    return DOCUMENT.format(
        status=_status(monitor.reasons_not_ready()),
        lag=_lag_section(monitor),
        workflows=_outcomes_section(monitor, "workflow", "Workflow"),
        sip_lines=_outcomes_section(monitor, "sip_line", "SIP line"),
    )


def _status(reasons: list[str]) -> str:
    if not reasons:
        return '<p class="status ok">Up to date</p>'
    return f'<p class="status stop">Not current: {escape("; ".join(reasons))}</p>'


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
    return _table(f"As of {written(snapshot.as_of_ms)}", heads, _lag_rows(snapshot))


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
    worst = min((row.state for row in rows), key=WORST_FIRST.index)
    guilty = [str(row.partition) for row in rows if row.state == worst] if worst not in ("ok", "unknown") else []
    where = f" in {', '.join(guilty)}" if guilty else ""
    return [
        _text(group.consumergroup),
        _number(group.members),
        _text(topic),
        _number(len(rows)),
        _number(sum(records) if records else "n/a"),
        _number(f"{max(seconds):.1f}" if seconds else "n/a"),
        f'<td><span class="verdict {worst}">{worst}</span>{escape(where)}</td>',
    ]


def _outcomes_section(monitor: Monitor, dimension: Dimension, title: str) -> str:
    try:
        store = monitor.reader.caught_up_store
    except NotReadyError as error:
        return f"<p>{escape(str(error))}</p>"
    newest = _newest_windows(store, dimension, monitor.settings.window_s)
    if not newest:
        return "<p>No calls yet.</p>"
    heads = (title, "Window (UTC)", "Calls", "Answered", "Dials", "ASR", "NER", "Dispositions of dials")
    more = len(newest) - MAX_ROWS
    note = f"<p>{more} more in the JSON.</p>" if more > 0 else ""
    caption = f"The newest window of each, {monitor.settings.window_s} s long"
    return _table(caption, heads, (_outcome_row(dimension, window) for window in newest[:MAX_ROWS])) + note


def _newest_windows(store: OutcomeStore, dimension: Dimension, window_s: int) -> list[WindowedOutcomes]:
    query = WindowQuery(window_s, limit=1)
    windows = [window for value in store.values(dimension) for window in store.windows(dimension, value, query)]
    return sorted(windows, key=lambda window: (-window.window_start_at, -window.calls, window.value))


def _outcome_row(dimension: Dimension, window: WindowedOutcomes) -> list[str]:
    values, samples = kpis(window)
    path = "workflows" if dimension == "workflow" else "sip-lines"
    link = f'<a href="/api/outcomes/{path}/{quote(window.value, safe="")}">{escape(window.value) or "(none)"}</a>'
    final = "" if window.is_final else ' <span class="open">open</span>'
    return [
        f'<th scope="row">{link}</th>',
        f"<td>{written(window.window_start_at)}{final}</td>",
        _number(window.calls),
        _number(window.answered),
        _number(window.attempts),
        *(_ratio(values[name], samples[name]) for name in ("asr", "ner")),
        f"<td>{_bar(window)}</td>",
    ]


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
