"""How every role logs: one JSON object a line on stdout, ours and the libraries' alike.

Each line has `timestamp`, `level` and `event`; `reason` says why, `logger` whose line it is when it is not ours, and
`exception` holds a traceback. Never a secret, a phone number or a transcript.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.processors import format_exc_info

AGAIN_S = 60.0  # a state that lasts is told so often


def configure_logging(*, quiet: tuple[str, ...] = (), **always: object) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines.

    quiet: libraries whose errors reach us as exceptions, and whose log would repeat them at every retry of an outage.
    always: what each line tells besides, such as a worker's number.
    """

    def complete(logger: Any, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """In place of structlog's three processors, which took a fifth of a line's time."""
        event.update(always, level=level, timestamp=datetime.now(UTC))
        return format_exc_info(logger, level, event) if "exc_info" in event else event

    render = structlog.processors.JSONRenderer(serializer=json_line, default=as_text)
    structlog.configure(
        processors=[complete, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),  # a line is one write: workers share the file
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[complete],
            processors=[_name_library, structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            keep_exc_info=False,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Told:
    """Tells a state when it begins and changes, and once a minute while it lasts: not at every look."""

    def __init__(self, again_s: float = AGAIN_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._again_s = again_s
        self._clock = clock
        self._state = ""
        self._told_at = 0.0

    def is_due(self, state: str) -> bool:
        """Whether this state is to be told now. An empty one is none: what comes after it is told at once."""
        is_new = state != self._state
        is_old = bool(state) and self._clock() - self._told_at >= self._again_s
        if is_new or is_old:
            self._state, self._told_at = state, self._clock()
        return bool(state) and (is_new or is_old)


def _name_library(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["logger"] = event["_record"].name
    return event


def as_text(value: object) -> str:
    """What JSON has no form for."""
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def json_line(event: Any, default: Any) -> str:
    """A line for each callback makes it worth the while: msgspec takes a fraction of what json.dumps does."""
    try:
        return msgspec.json.encode(event, enc_hook=default).decode()
    except (UnicodeEncodeError, TypeError):  # text that is no UTF-8, names that are no text: still a line
        return json.dumps(event, default=default)
