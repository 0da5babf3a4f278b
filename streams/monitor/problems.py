"""Errors as application/problem+json (RFC 9457). The only module that knows the status of an error."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.errors import BadParameterError, MonitorError, NotFoundError, RecordsHiddenError

RETRY_AFTER_S: Final = 2

STATUS: Final[dict[type[MonitorError], HTTPStatus]] = {
    BadParameterError: HTTPStatus.BAD_REQUEST,
    NotFoundError: HTTPStatus.NOT_FOUND,
    RecordsHiddenError: HTTPStatus.FORBIDDEN,
}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """{"type", "title", "status", "detail", ...members}; a 503 has Retry-After."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    extra = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra["Retry-After"] = str(RETRY_AFTER_S)
    return Response(json.dumps(body), status, extra, "application/problem+json")


def on_monitor_error(_: Request, error: Exception) -> Response:
    """One of ours: 503 when it is retriable, else by its class."""
    assert isinstance(error, MonitorError)
    return problem(status_of(error), str(error), code=error.code)


def status_of(error: MonitorError) -> int:
    """The HTTP status of one of ours."""
    if error.retriable:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def on_http_error(_: Request, error: Exception) -> Response:
    """The router's 404 and 405; a 404 leads to the list of endpoints."""
    assert isinstance(error, HTTPException)
    detail = "no such path; /api lists them all" if error.status_code == HTTPStatus.NOT_FOUND else error.detail
    return problem(error.status_code, detail, error.headers)


def on_any_error(_: Request, error: Exception) -> Response:
    """An unforeseen error: its class only; the details are in the log."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"unexpected {type(error).__name__}")


EXCEPTION_HANDLERS: Final[dict[Any, Callable[[Request, Exception], Response]]] = {
    MonitorError: on_monitor_error,
    HTTPException: on_http_error,
    Exception: on_any_error,
}
