"""What can go wrong between a webhook and its acknowledgement, and the HTTP answer to each.

GatewayError
+-- EdgeError                refused by the HTTP protocol, before it is a request of a webhook
|   +-- BadRequestError      permanent: 400, not HTTP
|   +-- HeadersTooLargeError permanent: 431
|   +-- UrlTooLongError      permanent: 414
|   +-- SlowHeadersError     retriable: 408
|   +-- CrowdedError         retriable: 503, too many connections
+-- UnverifiedError          permanent: 401, no signature of ours
+-- InvalidCallbackError     permanent: 422, not a callback we can read; names every fault
+-- BodyTooLargeError        permanent: 413, the request's body
+-- RecordTooLargeError      permanent: 413, the record made of it
+-- UnsupportedTypeError     permanent: 415
+-- SlowBodyError            retriable: 408
+-- OverLimitError           retriable: 429, too much in flight
|   +-- RateLimitedError     retriable: 429, too many a second
+-- PublishError             retriable: 503, Kafka or the registry is away
|   +-- SpoolError           retriable: 503, the disk refused
|       +-- SpoolFullError   retriable: 503, GATEWAY_SPOOL_MAX_BYTES are in use
|       +-- SpoolInUseError  permanent: another process has the directory open
+-- ClientGoneError          permanent: the sender hung up; nobody reads the answer
+-- NoValidKeyError          a tool's: no signing key is valid now
"""

from typing import ClassVar, NamedTuple


class Fault(NamedTuple):
    """One fault of a body: its JSON path, e.g. `details[0].duration`, and what is wrong, never the value."""

    path: str
    message: str


class GatewayError(Exception):
    """Base of the gateway's errors. `code` is stable, `outcome` its word in `webhook_requests_total`."""

    code: ClassVar[str] = "internal_error"
    outcome: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong here"
    retriable: ClassVar[bool] = False
    retry_after_s: int | None = None


class EdgeError(GatewayError):
    """Refused by the HTTP protocol; counted in `gateway_http_refused_total` by its code."""


class BadRequestError(EdgeError):
    """Not HTTP as RFC 9112 has it."""

    code = outcome = "bad_request"
    status = 400
    title = "This is not a valid HTTP request"


class HeadersTooLargeError(EdgeError):
    """The headers or the trailers are over what may be sent, or too many."""

    code = outcome = "headers_too_large"
    status = 431
    title = "The headers are too large"


class UrlTooLongError(EdgeError):
    """The request target is over what may be sent."""

    code = outcome = "url_too_long"
    status = 414
    title = "The URL is too long"


class SlowHeadersError(EdgeError):
    """The headers had not arrived within GATEWAY_HEADERS_TIMEOUT_S."""

    code = outcome = "slow_headers"
    status = 408
    title = "The headers arrived too slowly"
    retriable = True


class CrowdedError(EdgeError):
    """GATEWAY_MAX_CONNECTIONS are open, or as many as the descriptors allow."""

    code = outcome = "too_many_connections"
    status = 503
    title = "Too many connections are open"
    retriable = True
    retry_after_s = 1


class UnverifiedError(GatewayError):
    """The signature is missing, repeated, stale or does not match. `reason` says which."""

    code = outcome = "bad_signature"
    status = 401
    title = "The signature does not verify"

    def __init__(self, reason: str, looked_for: str = "") -> None:
        super().__init__(f"signature: {reason}" + (f"; the header looked for is {looked_for}" if looked_for else ""))
        self.reason = reason


class StaleSignatureError(UnverifiedError):
    """The signature matches, but its timestamp is too far from now."""

    code = outcome = "stale"
    title = "The signature is too old, or from the future"


class InvalidCallbackError(GatewayError):
    """An authentic body that is not a callback; `faults` names every one."""

    code = outcome = "malformed"
    status = 422
    title = "The body is not what this webhook carries"

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in faults))
        self.faults = faults


class BodyTooLargeError(GatewayError):
    """The body is over GATEWAY_MAX_BODY_BYTES, declared or counted while it came."""

    code = outcome = "too_large"
    status = 413
    title = "The body is too large"


class RecordTooLargeError(GatewayError):
    """The record made of the body is over what the topic takes."""

    code = outcome = "too_large"
    status = 413
    title = "The callback is too large for its topic"


class UnsupportedTypeError(GatewayError):
    """Not application/json, or compressed."""

    code = outcome = "unsupported_type"
    status = 415
    title = "The content type is not application/json"


class SlowBodyError(GatewayError):
    """The body had not arrived within GATEWAY_BODY_TIMEOUT_S."""

    code = outcome = "slow_body"
    status = 408
    title = "The body arrived too slowly"
    retriable = True


class OverLimitError(GatewayError):
    """As many requests or bytes are in flight as GATEWAY_MAX_IN_FLIGHT_* allow."""

    code = outcome = "limited"
    status = 429
    title = "Too many requests are in flight"
    retriable = True
    retry_after_s = 1


class RateLimitedError(OverLimitError):
    """Over GATEWAY_RATE_GLOBAL_PER_S or GATEWAY_RATE_SOURCE_PER_S; `scope` says which: global or source."""

    code = "rate_limited"
    title = "Too many requests a second"

    def __init__(self, scope: str, retry_after_s: int) -> None:
        super().__init__(f"over the {scope} rate; come again in {retry_after_s} s")
        self.scope = scope
        self.retry_after_s = retry_after_s


class PublishError(GatewayError):
    """Kafka did not acknowledge in time, or refused; or the schemas are not registered yet."""

    code = outcome = "broker_unavailable"
    status = 503
    title = "The callback could not be stored; send it again"
    retriable = True
    retry_after_s = 2


class SpoolError(PublishError):
    """The spool cannot be used: its disk refused, or another process has it open."""

    code = "spool_unavailable"


class SpoolFullError(SpoolError):
    """Kafka is away, and the spool holds as much as it may."""

    code = "spool_full"
    retry_after_s = 10


class SpoolInUseError(SpoolError):
    """Another process has the spool's directory open."""

    code = "spool_in_use"


class ClientGoneError(GatewayError):
    """The sender closed the connection before its body was complete."""

    code = outcome = "client_gone"
    status = 400
    title = "The connection closed before the body was complete"


class NoValidKeyError(GatewayError):
    """No signing key is valid now, so no request could pass."""

    code = "no_valid_key"
