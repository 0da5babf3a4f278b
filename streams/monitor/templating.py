"""How the pages are rendered: Jinja2 with every value escaped. The templates are in `templates/`."""

import re
from collections.abc import Callable
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.runtime import instants
from streams.monitor.labels import short
from streams.monitor.lag.facts import topics_of

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
    "cut": lambda value: short(value, MAX_SHOWN_CHARS),
    "words": lambda name: name.replace("_", " "),
    "topics": topics_of,
    "with_code": with_code,
}
environment.filters |= _filters
