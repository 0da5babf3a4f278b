"""What each endpoint answers: a shape, or a media type where it is no JSON. A test misses every path without one."""

from typing import Any, Final, NamedTuple

from streams.monitor.openapi import call_shapes as calls
from streams.monitor.openapi import line_shapes as lines
from streams.monitor.openapi import process_shapes as process

PAGE: Final = "text/html"


class Answer(NamedTuple):
    """The body of a 200. shapes: one of these, as JSON; without one the body is of that media type.

    is_ready_or_not: a 503 has the same shape. is_lenient: unknown parameters are ignored.
    """

    shapes: tuple[type[Any], ...] = ()
    media_type: str = "application/json"
    is_ready_or_not: bool = False
    is_lenient: bool = False


ANSWERS: Final[dict[str, Answer]] = {
    "/": Answer(media_type=PAGE),
    "/lag": Answer(media_type=PAGE),
    "/lag/{group}/{topic}/{partition}": Answer(media_type=PAGE),
    "/lines": Answer(media_type=PAGE),
    "/lines/{line}": Answer(media_type=PAGE),
    "/workflows": Answer(media_type=PAGE),
    "/workflows/{workflow}": Answer(media_type=PAGE),
    "/losses": Answer(media_type=PAGE),
    "/docs": Answer(media_type=PAGE),
    "/docs/asyncapi.yaml": Answer(media_type="application/yaml"),
    "/openapi.json": Answer(),
    "/api": Answer((process.Index,)),
    "/api/health": Answer((process.HealthAnswer,)),
    "/api/lag": Answer((process.Lag,)),
    "/api/lag/history": Answer((process.LagHistory,)),
    "/api/series": Answer((process.Series, process.SeriesNames)),
    "/api/conservation": Answer((process.Conservation,)),
    "/api/losses": Answer((process.Losses,)),
    "/api/probe": Answer((process.Probe,)),
    "/api/records/{topic}/{partition}/{offset}": Answer((process.RecordAnswer,)),
    "/api/overview": Answer((calls.Overview,)),
    "/api/lines": Answer((lines.RankedLines,)),
    "/api/lines/{line}/explain": Answer((lines.Explanation,)),
    "/api/workflows": Answer((calls.RankedWorkflows,)),
    "/api/workflows/{workflow}": Answer((calls.OneWorkflow,)),
    "/api/outcomes/workflows": Answer((calls.AllValues,)),
    "/api/outcomes/workflows/{value}": Answer((calls.OneValue,)),
    "/api/outcomes/sip-lines": Answer((calls.AllValues,)),
    "/api/outcomes/sip-lines/{value}": Answer((calls.OneValue,)),
    "/api/events": Answer(media_type="text/event-stream", is_lenient=True),
    "/metrics": Answer(media_type="text/plain", is_lenient=True),
    "/livez": Answer((process.Alive,), is_lenient=True),
    "/readyz": Answer((process.Ready,), is_ready_or_not=True, is_lenient=True),
}

_INSTANT: Final = {"type": "string", "examples": ["2024-03-11T13:25:00Z"]}

# Every query parameter: what it means, and its form.
PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "from": ("ISO 8601; without an offset it is UTC.", _INSTANT),
    "to": ("ISO 8601, after `from`.", _INSTANT),
    "range": (
        "A span up to now, in place of `from` and `to`.",
        {"type": "string", "enum": ["15m", "1h", "6h", "24h", "7d"]},
    ),
    "tz": ("The IANA name of a time zone.", {"type": "string", "examples": ["Asia/Jakarta"]}),
    "window": ("A multiple of the pane, or `all`.", {"type": "string", "examples": ["5m", "15m", "1h", "1d", "all"]}),
    "limit": ("The newest so many of each value.", {"type": "integer", "minimum": 1, "maximum": 100_000}),
    "after": ("From the link to the next part.", {"type": "string"}),
    "line": ("Only what dialled on this SIP line.", {"type": "string"}),
    "workflow": ("Only this workflow, by its id.", {"type": "string"}),
    "why": ("Explain the line from records, too.", {"type": "string"}),
    "name": ("The name of a series.", {"type": "string", "examples": ["lag_seconds"]}),
    "step": ("The length of a step.", {"type": "string", "examples": ["10s", "1m", "1h"]}),
    "group": ("A consumer group.", {"type": "string"}),
    "topic": ("A topic's whole name.", {"type": "string"}),
}
