"""Whatever comes as HTTP: what is a request is answered as one, what is none is told so, and nobody's turn is lost."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Sequence

import pytest

from gateway.gateway import Gateway
from gateway.http.strict import MAX_HEADER_BYTES, MAX_HEADERS, MAX_UNREAD_BYTES, MAX_URL_BYTES, MAX_WAITING, path_of
from gateway.serving.descriptors import connections_within, raise_limit
from gateway.serving.http_servers import ops_server
from schemas.runtime.listening import listen
from schemas.topics import CALLBACKS
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings, signed
from tests.support.served_door import (
    CHUNKED,
    HEADERS_TIMEOUT_S,
    RawConnection,
    away,
    connections,
    ended,
    head,
    refused,
    serve_door,
    statuses,
)
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)
EVENTS = "/webhooks/airudder/events/"
OTHER = to_body(with_detail(call_id="other"))
H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA")
WEBSOCKET = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
OFFERS = pytest.mark.parametrize("offer", [H2C, WEBSOCKET, ("connection: upgrade", "upgrade: TLS/1.0, made-up/7")])


def chunked(body: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n0\r\n%s\r\n" % (len(body), extension, body, trailers)


@OFFERS
@pytest.mark.parametrize("pieces", [1, 2, 3, 700])
async def test_an_offer_to_upgrade_is_ignored_however_the_request_is_cut(offer: tuple[str], pieces: int) -> None:
    async with serve_door() as door, door.connection() as connection:
        whole = head(*offer) + BODY + head(*offer, body=OTHER) + OTHER + head(body=b"{}") + b"{}"
        size = -(-len(whole) // pieces)
        for start in range(0, len(whole), size):
            connection.writer.write(whole[start : start + size])
            await asyncio.sleep(0)

        assert await statuses(connection, 3) == [200, 200, 422]
        assert len(door.publisher.records(CALLBACKS)) == 2


@OFFERS
async def test_an_offer_to_upgrade_with_a_chunked_body_is_ignored(offer: tuple[str]) -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*offer, CHUNKED) + chunked(BODY))

        assert await statuses(connection, 1) == [200]


@OFFERS
async def test_the_body_of_an_offer_is_never_run_as_a_request(offer: tuple[str]) -> None:
    smuggled = head() + BODY
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*offer, body=smuggled))
        await wait_until(lambda: door.gateway.arrivals, PATIENCE_S, "the body awaited")
        connection.writer.write(smuggled)

        assert await statuses(connection, 1) == [422]
        assert door.publisher.records(CALLBACKS) == []


async def test_an_offer_is_kept_with_a_refused_request_as_it_came() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*H2C, body=b"{}") + b"{}")
        await connection.answer()

        headers = door.publisher.stored[0].record.headers  # type: ignore[attr-defined]
        assert (headers["upgrade"], headers["connection"]) == ("h2c", "Upgrade, HTTP2-Settings")


async def test_offers_without_a_body_are_answered_in_one_piece() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*H2C, path="/", method="GET", body=b"") * MAX_WAITING)

        assert await statuses(connection, MAX_WAITING) == [404] * MAX_WAITING


@pytest.mark.parametrize("lines", [(), H2C], ids=["plain", "offers"])
async def test_more_requests_than_may_wait_on_a_connection_end_it_after_the_answers_owed(lines: Sequence[str]) -> None:
    """Requests that are there at once are parsed at once: by the thousand they would keep everybody else waiting."""
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*lines, path="/", method="GET", body=b"") * 1000)

        answered = 1 + MAX_WAITING  # one is worked on
        assert await statuses(connection, answered + 1) == [*[404] * answered, 429]
        assert await ended(connection)


async def test_a_connect_is_refused_and_what_follows_it_is_no_request() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(b"CONNECT / HTTP/1.1\r\nhost: x\r\n\r\n" + head() + BODY)

        assert (await connection.answer()).status in {404, 405}
        assert await ended(connection)
        assert door.publisher.stored == []


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(head("x: " + "a" * MAX_HEADER_BYTES), 431, "headers_too_large", id="a header"),
        pytest.param(head("a" * MAX_HEADER_BYTES + ": x"), 431, "headers_too_large", id="a name"),
        pytest.param(head(*["x: y"] * MAX_HEADERS), 431, "headers_too_large", id="many"),
        pytest.param(head(*["x-" + "y" * 400 + ": z"] * 90), 431, "headers_too_large", id="together"),
        pytest.param(head("x: " + "a" * 2_000_000), 431, "headers_too_large", id="2 MB"),
        pytest.param(head(*["a: aaaaaaaaaaaaaaaa"] * 100_000), 431, "headers_too_large", id="100,000"),
        pytest.param(head(*H2C, *["a: b"] * 100), 431, "headers_too_large", id="many and an offer"),
        pytest.param(head(path="/" + "a" * MAX_URL_BYTES), 414, "url_too_long", id="a path"),
        pytest.param(head(path=WEBHOOK + "?" + "a" * 1_000_000), 414, "url_too_long", id="a query"),
        pytest.param(head(path="http://" + "a" * 9000 + WEBHOOK), 414, "url_too_long", id="a host in the target"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request", id="HTTP/2"),
        pytest.param(head("content-length: 1"), 400, "bad_request", id="two lengths"),
        pytest.param(head(CHUNKED, "content-length: 1"), 400, "bad_request", id="length and chunked"),
        pytest.param(head(host=""), 400, "bad_request", id="no host"),
        pytest.param(head("host: other"), 400, "bad_request", id="two hosts"),
        pytest.param(head("Host: gateway"), 400, "bad_request", id="the host twice"),
        pytest.param(head(host="host: a, b"), 400, "bad_request", id="two hosts in one"),
        pytest.param(head(host="host: a/b"), 400, "bad_request", id="no host in it"),
        pytest.param(head(*H2C, host=""), 400, "bad_request", id="no host and an offer"),
        pytest.param(b"POST HTTP/1.1\r\n\r\n", 400, "bad_request", id="no target"),
        pytest.param(head(path="http://gateway?a"), 400, "bad_request", id="a target without a path"),
        pytest.param(head(path=f"http://gateway:99999{WEBHOOK}"), 400, "bad_request", id="a port that is none"),
        pytest.param(head(*H2C, path=f"http://gateway:99999{WEBHOOK}"), 400, "bad_request", id="the same in an offer"),
    ],
)
async def test_what_is_no_request_or_too_large_is_a_problem_and_the_end(
    request_: bytes, status: int, code: str
) -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(request_ + BODY)
        answer = await connection.answer()

        assert (answer.status, answer.document["type"]) == (status, f"urn:airudder:gateway:{code}")
        assert (answer.headers["content-type"], answer.headers["connection"]) == ("application/problem+json", "close")
        assert await ended(connection)
        assert refused(door, code) == 1
        assert door.publisher.stored == []


@pytest.mark.parametrize(
    "more",
    [
        ["x: " + "a" * 31_000],
        ["x: y"] * 90,
        ["x" * 20_000 + ": " + "y" * 10_000],
    ],
    ids=["a header", "many", "a name"],
)
async def test_heads_within_the_limits_are_read(more: list[str]) -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(*more, path=WEBHOOK + "?" + "a" * 8000) + BODY)

        assert await statuses(connection, 1) == [200]


ENDLESS: dict[str, tuple[bytes, bytes, int]] = {
    "a header": (b"POST / HTTP/1.1\r\nx: ", b"a" * 1000, 431),
    "headers": (b"POST / HTTP/1.1\r\n", b"a: b\r\n" * 7, 431),
    "a name": (b"POST / HTTP/1.1\r\n", b"a" * 1000, 431),
    "a target": (b"GET /", b"a" * 1000, 414),
    "an offer": (b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: ", b"a" * 1000, 431),
    "a trailer": (head(CHUNKED) + b"1\r\n{\r\n0\r\nx: ", b"a" * 1000, 431),
    "trailers": (head(CHUNKED) + b"1\r\n{\r\n0\r\n", b"a: b\r\n" * 7, 431),
    "a chunk extension": (head(CHUNKED) + b"1;x=", b"a" * 1000, 431),
    "chunk extensions": (head(CHUNKED), (b"1;x=" + b"y" * 200 + b"\r\n{\r\n") * 5, 431),
    "a trailer after a refusal": (head(CHUNKED, path="/elsewhere") + b"0\r\nx: ", b"a" * 1000, 0),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_ended_within_bounds(what: str) -> None:
    start, more, status = ENDLESS[what]
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(start)
        sent = 0
        while not sum(refused(door, code) for code in ("headers_too_large", "url_too_long")):
            connection.writer.write(more)
            await connection.writer.drain()
            sent += len(more)
            assert sent < 20 * MAX_UNREAD_BYTES
            await asyncio.sleep(0)
        if status:
            assert (await connection.answer()).status == status
        else:
            assert (await connection.answer()).status == 404  # and no second answer
        assert await ended(connection)


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_large_head_in_small_pieces_costs_no_more_than_its_bytes(size: int) -> None:
    async with serve_door() as door:
        whole = head("x: " + "a" * 31_000) + BODY
        async with door.connection() as connection:
            await wait_until(lambda: connections(door), PATIENCE_S, "the connection")
            (protocol,) = connections(door)
            began_s = time.process_time()
            for start in range(0, len(whole), size):
                protocol.data_received(whole[start : start + size])
            spent_s = time.process_time() - began_s

            assert await statuses(connection, 1) == [200]
            assert spent_s < 2


async def test_a_chunk_extension_that_ends_is_ignored() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(CHUNKED) + chunked(BODY, b";" + b"x" * 60_000))

        assert await statuses(connection, 1) == [200]


async def test_trailers_are_no_headers() -> None:
    (sign,) = [value for name, value in signed(BODY).items() if "sign" in name.lower()]
    trailer = b"X-AIRudder-Sign: %s\r\n" % sign.encode()
    unsigned = f"POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{CHUNKED}\r\n\r\n".encode()
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(unsigned + chunked(BODY, trailers=trailer))
        connection.writer.write(head(CHUNKED) + chunked(BODY, trailers=b"X-AIRudder-Sign: 00\r\nHost: other\r\n"))

        assert await statuses(connection, 2) == [401, 200]


@pytest.mark.parametrize("rest", [b"\x00\x01garbage\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n"])
async def test_an_answer_that_is_owed_comes_before_a_refusal(rest: bytes) -> None:
    async with serve_door() as door, door.connection() as connection:
        door.publisher.hold = asyncio.Event()
        connection.writer.write(head() + BODY + rest)
        await wait_until(lambda: refused(door, "bad_request"), PATIENCE_S, "the refusal")
        door.publisher.hold.set()

        assert await statuses(connection, 2) == [200, 400]
        assert await ended(connection)


async def test_a_broken_body_behind_an_unanswered_request_is_refused_in_its_turn() -> None:
    async with serve_door() as door, door.connection() as connection:
        door.publisher.hold = asyncio.Event()
        connection.writer.write(head() + BODY + head(CHUNKED, body=OTHER) + b"zz\r\n")
        await wait_until(lambda: refused(door, "bad_request"), PATIENCE_S, "the refusal")
        door.publisher.hold.set()

        assert await statuses(connection, 2) == [200, 400]
        assert await ended(connection)
        assert len(door.publisher.records(CALLBACKS)) == 1


async def test_a_broken_body_is_answered_once() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(CHUNKED) + b"zz\r\n")

        assert await statuses(connection, 1) == [400]
        assert await ended(connection)
        await wait_until(lambda: door.outcome("client_gone"), PATIENCE_S, "the request's own end")


async def test_a_broken_body_of_a_refused_request_gets_no_second_answer() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        connection.writer.write(head(CHUNKED) + b"zz\r\n")

        assert await statuses(connection, 1) == [503]
        assert await ended(connection)


async def test_who_says_no_more_still_gets_the_answer() -> None:
    async with serve_door() as door, door.connection() as connection:
        door.publisher.hold = asyncio.Event()
        connection.writer.write(head() + BODY)
        connection.writer.write_eof()
        await wait_until(
            lambda: door.publisher.waiting and not connections(door)[0].cycle.keep_alive, PATIENCE_S, "the end"
        )
        door.publisher.hold.set()
        answer = await connection.answer()

        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await ended(connection)


@pytest.mark.parametrize("part", [head()[:50], head() + BODY[:10], head(CHUNKED) + b"2\r\n{"])
async def test_a_sender_that_stops_in_the_middle_gets_an_answer(part: bytes) -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(part)
        connection.writer.write_eof()

        assert await statuses(connection, 1) == [400]
        assert await ended(connection)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/" + WEBHOOK[1:].replace("/", "%2F"), 404),
        ("/" + WEBHOOK[1:].replace("/", "%2f", 1), 404),
        (WEBHOOK.replace("/air", "/%61ir"), 200),
        ("/" + WEBHOOK[1:].replace("/", "%252F"), 404),
        (WEBHOOK + "%00", 404),
        (EVENTS + "a%2db", 200),
        (EVENTS + "%2e%2e", 404),
        (EVENTS + "../call-completion", 404),
        (EVENTS + "a%2Fb", 404),
        (EVENTS + "a%0A", 404),
        (EVENTS + "%7Bname%7D", 404),
        (EVENTS + "?name=a", 404),
        (EVENTS + "a?name=b", 200),
    ],
)
async def test_an_encoded_letter_is_the_letter_and_an_encoded_slash_is_none(path: str, status: int) -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(path=path) + BODY)
        answers = await statuses(connection, 1)
        away(door)
        connection.writer.write(head(path=path) + BODY)

        assert [*answers, *await statuses(connection, 1)] == [status, 404 if status == 404 else 503]


@pytest.mark.parametrize(
    ("raw", "path"), [(b"/a%2Fb", "/a%2Fb"), (b"/a%2fb", "/a%2Fb"), (b"/%C3%A9", "/é"), (b"/", "/")]
)
def test_a_path_is_decoded_but_for_slashes(raw: bytes, path: str) -> None:
    assert path_of(raw) == path


@pytest.mark.parametrize("zeros", [30, 5000])
async def test_a_length_with_leading_zeros_is_that_length(zeros: int) -> None:
    text = (head() + BODY).replace(b"content-length: ", b"content-length: " + b"0" * zeros)
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(text)

        assert await statuses(connection, 1) == [200]


async def test_blanks_behind_a_value_are_none_of_it() -> None:
    first, *lines = head().splitlines()
    blanks = b"\r\n".join([first, *(line and line + b" \t" for line in lines), b""])
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(blanks + BODY)

        assert await statuses(connection, 1) == [200]


@pytest.mark.parametrize("empty", [b"\r\n", b"\r\n\r\n", b"\r", b"\n"])
async def test_empty_lines_before_the_first_request_are_ignored(empty: bytes) -> None:
    async with serve_door(headers_timeout_s=PATIENCE_S) as door, door.connection() as connection:
        for piece in (empty, head()[:1], head()[1:] + BODY):
            connection.writer.write(piece)
            await asyncio.sleep(0.02)  # each in a packet of its own

        assert await statuses(connection, 1) == [200]


async def test_empty_lines_alone_are_no_request_in_time() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(b"\r\n")

        assert await statuses(connection, 1) == [408]


async def test_empty_lines_do_not_keep_an_idle_connection() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(path="/elsewhere") + BODY)
        await connection.answer()
        closing = asyncio.create_task(connection.rest())
        while not closing.done():
            connection.writer.write(b"\r\n")
            await asyncio.sleep(HEADERS_TIMEOUT_S / 10)

        assert closing.result() == b""


async def test_a_body_that_nobody_wants_does_not_keep_a_connection() -> None:
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head("x: y", path="/elsewhere", body=b"x" * 10_000_000))
        assert await statuses(connection, 1) == [404]
        closing = asyncio.create_task(connection.rest())
        while not closing.done():
            connection.writer.write(b"x" * 10)
            await asyncio.sleep(HEADERS_TIMEOUT_S / 10)

        assert closing.result() == b""


async def test_a_sender_of_much_reads_why_it_is_refused() -> None:
    """Closing at once would have its answer thrown away together with the bytes that nobody read."""
    async with serve_door() as door, door.connection() as connection:
        connection.writer.write(head(body=b"x" * 4_000_000) + b"x" * 4_000_000)
        await connection.writer.drain()

        assert await statuses(connection, 1) == [413]
        assert await ended(connection)


async def test_the_ops_port_is_guarded_in_the_same_way() -> None:
    gateway = Gateway(settings(), FakePublisher())
    server, listening = (
        ops_server(gateway, gateway.settings),
        listen("127.0.0.1", 0, "GATEWAY_HOST", "GATEWAY_OPS_PORT"),
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await wait_until(lambda: server.started, PATIENCE_S, "the server to have started")
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        connection = RawConnection(reader, writer)
        writer.write(head(path="/livez", method="GET", body=b""))
        assert await statuses(connection, 1) == [200]
        writer.write(head("x: " + "a" * MAX_HEADER_BYTES, path="/livez", method="GET", body=b""))

        assert await statuses(connection, 1) == [431]
        assert await ended(connection)
        writer.close()
        told = gateway.registry.get_sample_value("gateway_ops_refused_total", {"reason": "headers_too_large"})
        assert told == 1
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    ("descriptors", "wanted", "connections"),
    [(1024, 10_000, 768), (1_048_576, 10_000, 10_000), (300, 10_000, 150), (1024, 5, 5), (1, 1, 1)],
)
def test_connections_leave_descriptors_for_kafka_and_the_ops_port(
    descriptors: int, wanted: int, connections: int
) -> None:
    assert connections_within(descriptors, wanted) == connections


def test_as_many_descriptors_are_taken_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, before[1]), before[1]))
    try:
        assert raise_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
