"""The body as it was before a proxy compressed it; for the quarantine's tools."""

import zlib
from typing import Final

from msgspec import structs

from gateway.requests import RawRequest

_WINDOW_BITS: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


def unpacked(request: RawRequest, max_bytes: int) -> RawRequest:
    """The request with its body decompressed; unchanged when the encoding is unknown, damaged or over `max_bytes`."""
    encoding = dict(request.headers).get(b"content-encoding", b"").strip().lower()
    if encoding not in _WINDOW_BITS:
        return request
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        body = unpacker.decompress(request.body, max_bytes)
    except zlib.error:
        return request
    return structs.replace(request, body=body) if unpacker.eof else request
