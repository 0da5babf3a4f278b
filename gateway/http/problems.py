"""Errors as application/problem+json (RFC 9457)."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway.errors import MalformedBodyError, PublishError, RequestError

OUR_FAULT: Final = "the gateway's log and /readyz say why"  # a sender must not see addresses, users and rights
_TYPE: Final = "urn:airudder:gateway:"
_UNREAD_BODY: Final = {408, 413, 429}  # answered before the body was read to its end: the connection cannot go on


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"


def problem(error: RequestError) -> ProblemResponse:
    """The answer to one of our errors: status, Retry-After where the error has one, every fault of a 422."""
    detail = OUR_FAULT if isinstance(error, PublishError) else str(error)
    content: dict[str, Any] = _document(error.code, error.title, error.status, detail)
    if isinstance(error, MalformedBodyError):
        content["detail"] = f"{len(error.faults)} fault{'s' * (len(error.faults) != 1)}; see errors"
        content["errors"] = [fault._asdict() for fault in error.faults]
    headers = {"Connection": "close"} if error.status in _UNREAD_BODY else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return ProblemResponse(content, error.status, headers)


@lru_cache(maxsize=64)  # there are few of them, and none holds a part of a request
def whole_response(kind: type[RequestError], detail: str, *, closes: bool = False) -> bytes:
    """The problem as the bytes of an HTTP/1.1 response, to be written without an application."""
    answer = problem(kind(detail))
    headers = [(name, value) for name, value in answer.raw_headers if name != b"connection"]
    if closes:
        headers.append((b"connection", b"close"))
    lines = [b"HTTP/1.1 %d %s" % (answer.status_code, kind.code.encode())]
    return b"\r\n".join([*lines, *(b"%s: %s" % header for header in headers), b"", bytes(answer.body)])


async def http_problem(request: Request, error: Exception) -> ProblemResponse:
    """The router's own 404 and 405 as problem documents, without any text from the request."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    document = _document(code, phrase, error.status_code, "no such path or method here")
    return ProblemResponse(document, error.status_code, error.headers)


def _document(code: str, title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": _TYPE + code, "title": title, "status": status, "detail": detail}
