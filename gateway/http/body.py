"""A request's body, read within a size and a time."""

from collections.abc import Mapping
from io import BytesIO

from starlette.types import Receive

from gateway.arrivals import Arrivals
from gateway.errors import BodyTooLargeError, ClientGoneError, OverLimitError, SlowBodyError
from gateway.limits import Admission


def require_length(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    """Raises: BodyTooLargeError when Content-Length declares more than `max_bytes`; a chunked body declares nothing."""
    text = headers.get(b"content-length", b"").lstrip(b"0")  # the HTTP parser lets thousands of zeros pass
    if text.isdigit() and int(text) > max_bytes:
        raise BodyTooLargeError(f"{text.decode()} bytes declared, the limit is {max_bytes}")


async def read_body(receive: Receive, admission: Admission, *, max_bytes: int, arrivals: Arrivals) -> bytes:
    """The whole body: joined as it comes, so one-byte chunks cost one byte each, and returned without a copy.

    admission: accounts for the bytes held. arrivals: the time for the whole body, and the other bodies that come.
    Raises: BodyTooLargeError before more than max_bytes are held, SlowBodyError, OverLimitError, ClientGoneError.
    """
    body, is_more = BytesIO(), True
    arrival = arrivals.of(admission)
    try:
        with arrival:
            while is_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError("the sender hung up")
                chunk, is_more = message.get("body", b""), message.get("more_body", False)
                if body.tell() + len(chunk) > max_bytes:
                    raise BodyTooLargeError(f"over {max_bytes} bytes")
                admission.hold_bytes(len(chunk))
                body.write(chunk)
    except TimeoutError:
        if arrival.has_given_way:
            raise OverLimitError("too many bodies are coming, and this one had not come") from None
        raise SlowBodyError(f"not complete within {arrivals.seconds:g} s") from None
    return body.getvalue()
