"""What a role's /metrics answers: Prometheus text or OpenMetrics, as the scraper accepts; gzip where it takes it."""

import gzip
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from prometheus_client import disable_created_metrics
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

# A scrape is a few hundred kilobytes of very like lines: the lowest level is half as fast again, and a tenth larger.
GZIP_LEVEL: Final = 1

END: Final = b"# EOF\n"  # of OpenMetrics


class Exposition(NamedTuple):
    """One answer: its body and its headers."""

    body: bytes
    headers: dict[str, str]


def expose(collector: Collector, asked: Mapping[str, str]) -> Exposition:
    """The metrics of a registry for a request with these headers, whose names are lower case or do not mind case."""
    encode, content_type = encoder(asked)
    return packed(encode(collector), content_type, asked)


def encoder(asked: Mapping[str, str]) -> tuple[Callable[[Any], bytes], str]:
    """(what renders a collector, content type) for such a request."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they double every counter, and nothing of ours reads them
    return choose_encoder(asked.get("accept") or "")


def joined(*parts: bytes) -> bytes:
    """Renderings in one format of collectors without a family in common, as one."""
    return b"".join(part.removesuffix(END) for part in parts) + (END if parts[-1].endswith(END) else b"")


def packed(body: bytes, content_type: str, asked: Mapping[str, str]) -> Exposition:
    """An answer with this body, compressed where the request allows it."""
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
    if gzip_accepted(asked.get("accept-encoding") or ""):
        body, headers["Content-Encoding"] = gzip.compress(body, GZIP_LEVEL), "gzip"
    return Exposition(body, headers)
