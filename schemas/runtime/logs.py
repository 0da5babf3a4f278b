"""How every role logs: one JSON object a line on stdout, ours and the libraries' alike.

Every line has `timestamp`, `level` and `event` (noun.past, such as `kafka.lost`). `reason` says why, `logger` names the
library whose line it is, `exception` holds a traceback. Never a secret, a phone number or a transcript.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.processors import format_exc_info

from schemas.runtime.build import Role, this_build

AGAIN_S = 60.0  # between two reports of a lasting state
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Output:
    """Writes lines to a descriptor. A full disk or a closed pipe loses lines and nothing else.

    Each line is one unbuffered write, since several processes share the file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0

    def write(self, text: str) -> None:
        """Write a line, or lose it. Never raises for the file."""
        data = text.encode(errors="backslashreplace")
        try:
            if self._lost:
                self._report_lost()
            if os.write(self._descriptor, data) < len(data):
                self._lose("a line is cut")
        except OSError as error:
            self._lose(str(error.strerror))

    def msg(self, line: str) -> None:
        """Write a line, for structlog, whose loggers have a method for each level."""
        self.write(line + "\n")

    debug = info = warning = error = critical = msg

    def flush(self) -> None:
        """Do nothing: the standard library requires the method."""

    def _lose(self, reason: str) -> None:
        self._lost += 1
        if self._lost == 1:
            with suppress(OSError, AttributeError):  # it may be the same file, or none
                sys.stderr.write(f"the log cannot be written: {reason}; lines are lost\n")

    def _report_lost(self) -> None:
        event = {"lines": self._lost, "event": "log.lost", "level": "error", "timestamp": datetime.now(UTC)}
        os.write(self._descriptor, f"\n{json_line(event, as_text)}\n".encode())
        self._lost = 0


def configure_logging(*, level: str = "info", quiet: tuple[str, ...] = (), **always: object) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines.

    level: the lowest to write, one of LEVELS. Libraries write warnings and errors only.
    quiet: libraries that also raise what they log, and would log it at every retry of an outage.
    always: fields of every line, such as a process's number.
    """
    lowest = LEVELS[level]

    def complete(logger: Any, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Replaces three processors of structlog, which took a fifth of a line's time."""
        event.update(always, level=level, timestamp=datetime.now(UTC))
        return format_exc_info(logger, level, event) if "exc_info" in event else event

    output = Output(sys.stdout.fileno() if sys.stdout else os.open(os.devnull, os.O_WRONLY))
    render = structlog.processors.JSONRenderer(serializer=json_line, default=as_text)
    structlog.configure(
        processors=[complete, render],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[complete],
            processors=[_name_library, structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            keep_exc_info=False,
        )
    )
    logging.basicConfig(handlers=[handler], level=max(lowest, logging.WARNING), force=True)
    logging.captureWarnings(True)
    silence(*quiet)


def silence(*libraries: str) -> None:
    """Drop the log lines of libraries whose errors reach us as exceptions, and are reported once as such."""
    for name in libraries:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log_start(role: Role, settings: Mapping[str, str], notes: Sequence[str]) -> None:
    """Log the first line of every role: its build and its settings. settings: without secrets."""
    build = this_build()
    log = structlog.get_logger()
    log.info("role.started", role=role, version=build.version, commit=build.commit, settings=settings, notes=notes)


class StateReports:
    """Decides when to report a state: when it begins or changes, and once a minute while it lasts."""

    def __init__(self, again_s: float = AGAIN_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._again_s = again_s
        self._clock = clock
        self._state = ""
        self._reported_at = 0.0

    def is_due(self, state: str) -> bool:
        """Whether to report this state now. An empty state is never reported; the next one is reported at once."""
        is_new = state != self._state
        is_old = bool(state) and self._clock() - self._reported_at >= self._again_s
        if is_new or is_old:
            self._state, self._reported_at = state, self._clock()
        return bool(state) and (is_new or is_old)


def _name_library(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["logger"] = event["_record"].name
    return event


def as_text(value: object) -> str:
    """A value that JSON cannot express, as text."""
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def json_line(event: Any, default: Any) -> str:
    """An event as JSON. msgspec takes a fraction of json.dumps' time, and every callback has a line."""
    try:
        return msgspec.json.encode(event, enc_hook=default).decode()
    except (UnicodeEncodeError, TypeError):  # text that is not UTF-8, or keys that are not text
        return json.dumps(event, default=default)
