"""What can go wrong in the gateway, and the HTTP answer to what goes wrong with a request.

GatewayError
+-- RequestError                 a request that is not accepted
|   +-- EdgeError                refused by the HTTP protocol, before it is a request of a webhook
|   |   +-- BadRequestError      400: not HTTP
|   |   +-- HeadersTooLargeError 431
|   |   +-- UrlTooLongError      414
|   |   +-- SlowHeadersError     408
|   |   +-- CrowdedError         503: too many connections
|   +-- UnverifiedError          401: no signature of ours
|   |   +-- StaleSignatureError  401: the signature's time is too far from now
|   +-- MalformedBodyError       422: not a delivery of this webhook; names every fault
|   +-- BodyTooLargeError        413: the request's body
|   +-- RecordTooLargeError      413: the record made of it
|   +-- UnsupportedTypeError     415
|   +-- SlowBodyError            408
|   +-- OverLimitError           429: too much in flight
|   |   +-- RateLimitedError     429: too many a second
|   +-- PublishError             503: Kafka or the registry is away
|   |   +-- SpoolError           503: the disk refused
|   |       +-- SpoolFullError   503: GATEWAY_SPOOL_MAX_BYTES are in use
|   |       +-- SpoolInUseError  another process has the directory open; the start fails
|   +-- ClientGoneError          400: the sender hung up; nobody reads the answer
|   +-- InternalError            500: a fault of ours
+-- WorkersError                 a worker process could not start
+-- NoValidKeyError              a tool's: no signing key is valid now
+-- DeliveryRefusedError         a sender's: the gateway will never accept this body
+-- UnreadableFileError          an import's: a file cannot be read
+-- ImportStateError             an import's: its state cannot be used, or tells of another file

An error of a request is declared here and nowhere else: its metric's word, the OpenAPI document's answer and the
problem document follow.
"""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple


class Fault(NamedTuple):
    """One fault of a body: its JSON path, e.g. `details[0].duration`, and what is wrong, never the value."""

    path: str
    message: str


class GatewayError(Exception):
    """Base of the gateway's errors. `code` is stable."""

    code: ClassVar[str] = "gateway"


class RequestError(GatewayError):
    """A request that is not accepted. `status`, `title`: its HTTP answer. `outcome`: its word in
    `webhook_requests_total`. `retry_after_s`: when to send it again, None where that does not help or is up to the
    sender. `is_quarantined`: whether the request is kept. `is_probe`: whether a verified probe was refused."""

    code: ClassVar[str] = "internal_error"
    outcome: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong here"
    is_quarantined: ClassVar[bool] = False
    retry_after_s: int | None = None
    is_probe = False


class EdgeError(RequestError):
    """Refused by the HTTP protocol; counted in `gateway_http_refused_total` by its code."""


class BadRequestError(EdgeError):
    """Not HTTP as RFC 9112 has it."""

    code = outcome = "bad_request"
    status = 400
    title = "This is not a valid HTTP request"


class HeadersTooLargeError(EdgeError):
    """The headers or the trailers are over the limit of bytes or of number."""

    code = outcome = "headers_too_large"
    status = 431
    title = "The headers are too large"


class UrlTooLongError(EdgeError):
    """The request target is over the limit."""

    code = outcome = "url_too_long"
    status = 414
    title = "The URL is too long"


class SlowHeadersError(EdgeError):
    """The headers had not arrived within GATEWAY_HEADERS_TIMEOUT_S."""

    code = outcome = "slow_headers"
    status = 408
    title = "The headers arrived too slowly"


class CrowdedError(EdgeError):
    """GATEWAY_MAX_CONNECTIONS are open, or as many as the descriptors allow."""

    code = outcome = "too_many_connections"
    status = 503
    title = "Too many connections are open"
    retry_after_s = 1


class UnverifiedError(RequestError):
    """The signature is missing, repeated, stale or does not match. `reason` says which."""

    code = outcome = "bad_signature"
    status = 401
    title = "The signature does not verify"
    is_quarantined = True

    def __init__(self, reason: str, looked_for: str = "") -> None:
        super().__init__(f"signature: {reason}" + (f"; the header looked for is {looked_for}" if looked_for else ""))
        self.reason = reason


class StaleSignatureError(UnverifiedError):
    """The signature matches, but its timestamp is too far from now."""

    code = outcome = "stale"
    title = "The signature is too old, or from the future"


class MalformedBodyError(RequestError):
    """An authentic body that is no delivery of its webhook; `faults` names every fault."""

    code = outcome = "malformed"
    status = 422
    title = "The body is not what this webhook carries"
    is_quarantined = True

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in faults))
        self.faults = faults


class BodyTooLargeError(RequestError):
    """The body is over GATEWAY_MAX_BODY_BYTES, declared or counted while it came."""

    code = outcome = "too_large"
    status = 413
    title = "The body is too large"


class RecordTooLargeError(RequestError):
    """The record made of the body is over its topic's limit."""

    code = outcome = "too_large"
    status = 413
    title = "The callback is too large for its topic"


class UnsupportedTypeError(RequestError):
    """Not application/json, or compressed."""

    code = outcome = "unsupported_type"
    status = 415
    title = "The content type is not application/json"
    is_quarantined = True


class SlowBodyError(RequestError):
    """The body had not arrived within GATEWAY_BODY_TIMEOUT_S."""

    code = outcome = "slow_body"
    status = 408
    title = "The body arrived too slowly"


class OverLimitError(RequestError):
    """As many requests or bytes are in flight as GATEWAY_MAX_IN_FLIGHT_* allow."""

    code = outcome = "limited"
    status = 429
    title = "Too many requests are in flight"
    retry_after_s = 1


class RateLimitedError(OverLimitError):
    """Over GATEWAY_RATE_GLOBAL_PER_S or GATEWAY_RATE_SOURCE_PER_S; `scope` says which: global or source."""

    code = "rate_limited"
    title = "Too many requests a second"

    def __init__(self, scope: str, retry_after_s: int) -> None:
        super().__init__(f"over the {scope} rate; come again in {retry_after_s} s")
        self.scope = scope
        self.retry_after_s = retry_after_s


class PublishError(RequestError):
    """Kafka did not acknowledge in time, or refused; or the schemas are not registered yet."""

    code = outcome = "broker_unavailable"
    status = 503
    title = "The callback could not be stored; send it again"
    retry_after_s = 2


class SpoolError(PublishError):
    """The spool cannot be used: its disk refused, or another process has it open."""

    code = "spool_unavailable"


class SpoolFullError(SpoolError):
    """Kafka is away, and the spool holds as much as it may."""

    code = "spool_full"
    retry_after_s = 10


class SpoolInUseError(SpoolError):
    """Another process has the spool's directory open, or callbacks for topics under another prefix wait in it."""

    code = "spool_in_use"


class ClientGoneError(RequestError):
    """The sender closed the connection before its body was complete."""

    code = outcome = "client_gone"
    status = 400
    title = "The connection closed before the body was complete"


class InternalError(RequestError):
    """A fault of ours; the sender may come again."""


class WorkersError(GatewayError):
    """A worker ended before it served, and has logged why. `exit_code`: its own."""

    code = "worker_not_started"

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"a worker ended with exit code {exit_code} before it served")
        self.exit_code = exit_code


class NoValidKeyError(GatewayError):
    """No signing key is valid now, so no request could pass."""

    code = "no_valid_key"


class DeliveryRefusedError(GatewayError):
    """The gateway will never accept this body."""

    code = "delivery_refused"


class UnreadableFileError(GatewayError):
    """A file of an import cannot be read."""

    code = "unreadable_file"


class ImportStateError(GatewayError):
    """The state of an import cannot be read or written, or tells of another file of the same name."""

    code = "import_state"


def request_errors(base: type[RequestError] = RequestError) -> Iterator[type[RequestError]]:
    """Every kind of RequestError that is raised."""
    for kind in base.__subclasses__():
        if kind is not EdgeError:
            yield kind
        yield from request_errors(kind)
