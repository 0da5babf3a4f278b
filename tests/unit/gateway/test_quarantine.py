"""The cap on unverified bytes: per UTC day, and only for the unverified."""

from __future__ import annotations

import time

from gateway.metrics import Metrics
from gateway.quarantine import DAY_MS, MAX_HEADERS_CHARS, Quarantine, headers_without_secrets
from gateway.requests import RawRequest
from schemas.topics import QUARANTINE
from tests.support.fakes import FakePublisher

JOINED_S = 3.0  # of the processor; a tenth of it is enough, and joining one by one takes many times as long


def request(received_at: int, body: bytes = b"12345") -> RawRequest:
    return RawRequest("POST", "/hook", [], body, "192.0.2.1", received_at)


async def test_the_cap_counts_bytes_of_one_utc_day() -> None:
    publisher = FakePublisher()
    quarantine = Quarantine(publisher, Metrics([]), max_unverified_bytes_per_day=10)

    for received_at in (0, 1, 2, DAY_MS - 1, DAY_MS, DAY_MS + 1, DAY_MS + 2):
        await quarantine.keep_unverified(request(received_at), "signature missing")

    kept = [stored.record.to_datum()["received_at"] for stored in publisher.records(QUARANTINE)]
    assert kept == [0, 1, DAY_MS, DAY_MS + 1]


async def test_a_small_request_still_fits_after_one_that_did_not() -> None:
    publisher = FakePublisher()
    quarantine = Quarantine(publisher, Metrics([]), max_unverified_bytes_per_day=10)

    await quarantine.keep_unverified(request(0, b"x" * 11), "signature missing")
    await quarantine.keep_unverified(request(0), "signature missing")

    assert len(publisher.records(QUARANTINE)) == 1


async def test_verified_requests_are_kept_whatever_the_cap() -> None:
    publisher = FakePublisher()
    quarantine = Quarantine(publisher, Metrics([]), max_unverified_bytes_per_day=0)

    await quarantine.keep_malformed(request(0), "$: expected JSON")

    assert len(publisher.records(QUARANTINE)) == 1


def test_many_headers_are_joined_once_and_within_a_total() -> None:
    headers = [(b"a", b"%d" % number) for number in range(200_000)]
    began_s = time.process_time()

    kept = headers_without_secrets(RawRequest("POST", "/hook", headers, b"", "192.0.2.1", 0), "x-airudder-sign")

    assert kept["a"].startswith("0, 1, 2, 3")
    assert MAX_HEADERS_CHARS / 2 < len(kept["a"].replace(", ", "")) <= MAX_HEADERS_CHARS
    assert time.process_time() - began_s < JOINED_S


def test_repeated_headers_keep_their_order_and_credentials_go() -> None:
    headers = [(b"via", b"one"), (b"x-airudder-sign", b"s"), (b"cookie", b"c"), (b"via", b"two")]

    kept = headers_without_secrets(RawRequest("POST", "/hook", headers, b"", "192.0.2.1", 0), "x-airudder-sign")

    assert kept == {"via": "one, two", "x-airudder-sign": "s"}
