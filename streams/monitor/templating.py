"""How the pages are rendered: Jinja2 with every value escaped. The templates are in `templates/`."""

import re
from collections.abc import Callable
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.runtime import instants
from streams.monitor.links import line_path, workflow_path
from streams.monitor.pages.drawing import shares, spark
from streams.monitor.pages.words import ago_text, clock_text, number_text, share_text, span_text
from streams.rules.labels import short

MAX_SHOWN_CHARS: Final = 80

_CODE: Final = re.compile("`([^`]+)`")


def with_code(text: str) -> Markup:
    """Prose as HTML, with what stands in backticks as code. Everything is escaped first."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


environment: Final = Environment(
    loader=PackageLoader("streams.monitor"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_filters: dict[str, Callable[..., object]] = {
    "instant": instants.text,
    "line_path": line_path,
    "workflow_path": workflow_path,
    "in_pointer": lambda name: name.replace("~", "~0").replace("/", "~1"),
    "cut": lambda value: short(value, MAX_SHOWN_CHARS),
    "words": lambda name: name.replace("_", " "),
    "with_code": with_code,
    "ago": ago_text,
    "clock": clock_text,
    "number": number_text,
    "share": share_text,
    "shares": shares,
    "spark": spark,
    "span": span_text,
}
environment.filters |= _filters
