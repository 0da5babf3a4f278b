"""What a proxy has relabelled or compressed on the way is a callback still, when the quarantine is judged again."""

from __future__ import annotations

import gzip
import hashlib
import zlib

import pytest

from gateway.recovery.judging import Judge
from gateway.recovery.unpacking import unpacked
from gateway.requests import RawRequest
from schemas.records.kept import QuarantinedRequest
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.requests import WEBHOOK, settings, signed

BODY = to_body(EXAMPLE)
NOW_S = 1_700_000_000.0


def kept(body: bytes, signed_over: bytes, **headers: str) -> QuarantinedRequest:
    sent = {name.lower(): value for name, value in signed(signed_over).items()}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    event_id = hashlib.sha256(body).hexdigest()
    received_at = int(NOW_S * 1000)
    return QuarantinedRequest(
        event_id=event_id, received_at=received_at, reason="unsupported_type", detail="", method="POST", path=WEBHOOK,
        headers=sent, body=body, remote_address="192.0.2.1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "event_of"),
    [
        pytest.param(kept(BODY, BODY, content_type="text/json"), BODY, id="another type"),
        pytest.param(kept(gzip.compress(BODY), BODY, content_encoding="gzip"), BODY, id="compressed after"),
        pytest.param(kept(zlib.compress(BODY), BODY, content_encoding="deflate"), BODY, id="deflated"),
        pytest.param(
            kept(gzip.compress(BODY, mtime=0), gzip.compress(BODY, mtime=0), content_encoding="gzip"),
            BODY,
            id="compressed before",
        ),
    ],
)
def test_what_a_proxy_changed_passes_as_the_event_that_was_sent(request_: QuarantinedRequest, event_of: bytes) -> None:
    judgement = Judge(settings(), NOW_S).judge(request_)

    assert judgement.verdict == "passes"
    assert judgement.event[1] == hashlib.sha256(event_of).hexdigest()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(BODY)[:-9], b"gzip"),
        (b"no gzip", b"gzip"),
        (gzip.compress(bytes(10_000_000)), b"gzip"),
        (gzip.compress(BODY), b"br"),
        (gzip.compress(BODY), b""),
    ],
    ids=["cut", "damaged", "a bomb", "another", "not said"],
)
def test_what_cannot_be_unpacked_stays_as_it_is(body: bytes, encoding: bytes) -> None:
    request = RawRequest("POST", WEBHOOK, [(b"content-encoding", encoding)], body, "", 0)

    assert unpacked(request, 1_000_000) is request
