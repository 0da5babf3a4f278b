"""Whatever is posted gets a documented answer: no 500, no crash, no memory kept. In-process, over the ASGI app.

`python -m tests.property.fuzz --seed 1 --inputs 100000` prints what was sent and what came back; exit code 1 when an
answer was not the one that the contract gives to such an input. Every input follows from the seed and its number.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil
import structlog

from gateway.gateway import Gateway
from gateway.http.app import create_app
from gateway.publishing.publisher import Published
from gateway.webhooks.kinds import kind_at
from schemas.headers import Headers
from schemas.records.record import Record
from schemas.signatures.schemes import SAFE_SCHEMES
from schemas.signatures.signing import sign
from schemas.topics import Topic
from tests.support.fakes import FakePublisher
from tests.support.kinds import SAMPLES, SERVED
from tests.support.requests import KEY, settings

SAMPLES_AT: dict[str, Any] = {kind.path: SAMPLES[kind.name] for kind in SERVED}
MAX_BODY_BYTES = 50_000
GROWTH_LIMIT_MIB = 64
WARM_UP = 0.2  # of the inputs, until caches such as the remembered event ids have their size
REMEMBERED = 2000

ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63 - 1, 2**63, -(2**70), 1.5, 1e308, "", "x" * 3000, "\x00", "\U0001f600", "\u202e", [],
    {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, "447700900123", "2024-13-45 99:99:99", "' OR 1=1 --", "${jndi:x}",
    "null",
)  # fmt: skip
ODD_BYTES = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"\xef\xbb\xbf", b"[" * 200,
    b'{"a":' * 200, b'"', b"\\", b",", b"}", b"\r\n", b"1" * 400, b"/**/", b"'",
)  # fmt: skip
ODD_SIGNATURES = (
    b"", b"0", b"0" * 64, b"g" * 64, b"=" * 44, b"sha256=", b"sha256=sha256=", b"v1,", b"v1,AAAA v1,", b"\xff" * 64,
    b"\x00" * 40, b"A" * 8000, b" ", "ł".encode() * 32,
)  # fmt: skip


class ForgetfulPublisher(FakePublisher):
    """Acknowledges and keeps nothing, so that what grows is the gateway."""

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        record.to_datum()
        return Published(topic.name, 0, 0)


@dataclass
class Input:
    """One request, and the statuses that the contract allows for it."""

    what: str
    expected: frozenset[int]
    method: str = "POST"
    path: str = SERVED[0].path
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)


@dataclass
class Report:
    """What came of a run."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    growth_mib: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.wrong and self.growth_mib < GROWTH_LIMIT_MIB


def make_input(seed: int, number: int) -> Input:
    """The input of this number; about a third of them are signed."""
    random = Random(f"{seed}/{number}")
    makers: Sequence[Callable[[Random], Input]] = (
        _mutated_value, _mutated_value, _mutated_bytes, _mutated_bytes, _random_bytes, _bad_signature, _bad_signature,
        _bad_type, _bad_target, _too_large, _good, _odd_headers,
    )  # fmt: skip
    return random.choice(makers)(random)


def _signed(random: Random, what: str, body: bytes, *expected: int) -> Input:
    path = random.choice(SERVED).path
    return _request(random, what, path, body, _signature(random, body), *expected)


def _request(
    random: Random, what: str, path: str, body: bytes, headers: list[tuple[bytes, bytes]], *expected: int
) -> Input:
    sent = [(b"content-type", b"application/json"), *headers]
    if random.random() < 0.5:
        sent.append((b"content-length", str(len(body)).encode()))
    allowed = {413} if len(body) > MAX_BODY_BYTES else set(expected)
    return Input(what, frozenset(allowed), "POST", path, sent, _split(random, body))


def _signature(random: Random, body: bytes) -> list[tuple[bytes, bytes]]:
    scheme = random.choice([scheme.name for scheme in SAFE_SCHEMES if scheme.name != "standard-webhooks"])
    headers = sign(body, scheme, KEY, "X-AIRudder-Sign", 0)
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _split(random: Random, body: bytes) -> list[bytes]:
    """The body in pieces of any size, empty ones among them; sometimes byte by byte."""
    if random.random() < 0.05:
        return [body[i : i + 1] for i in range(min(len(body), 2000))] + [body[2000:]]
    cuts = sorted(random.randint(0, len(body)) for _ in range(random.randint(0, 6)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _sample(random: Random) -> tuple[str, Any]:
    path = random.choice(list(SAMPLES_AT))
    return path, copy.deepcopy(SAMPLES_AT[path])


def _to_body(random: Random, document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _good(random: Random) -> Input:
    path, document = _sample(random)
    document[f"new_{random.getrandbits(16)}"] = _odd_value(random)
    body = _to_body(random, document)
    return _request(random, "good", path, body, _signature(random, body), 200)


def _mutated_value(random: Random) -> Input:
    """A sample with some values replaced, dropped or added anywhere: a callback still, or a 422."""
    path, document = _sample(random)
    for _ in range(random.randint(1, 4)):
        _mutate(random, document)
    body = _to_body(random, document)
    return _request(random, "values", path, body, _signature(random, body), 200, 422)


def _mutate(random: Random, document: Any) -> None:
    node = document
    while isinstance(node, (dict, list)) and node:
        step = random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node))
        if not isinstance(node[step], (dict, list)) or not node[step] or random.random() < 0.3:
            break
        node = node[step]
    else:
        return
    match random.randrange(3):
        case 0:
            node[step] = _odd_value(random)
        case 1:
            del node[step]
        case _ if isinstance(node, dict):
            node[str(_odd_value(random))[:50]] = _odd_value(random)


def _odd_value(random: Random) -> Any:
    """A copy, since later mutations go into it: an input must follow from its seed and number alone."""
    return copy.deepcopy(random.choice(ODD_VALUES))


def _mutated_bytes(random: Random) -> Input:
    """A sample's JSON cut, doubled, or with odd bytes in it."""
    path, document = _sample(random)
    body = bytearray(_to_body(random, document))
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(body) + 1)
        match random.randrange(4):
            case 0:
                body[at:at] = random.choice(ODD_BYTES)
            case 1:
                del body[at : at + random.randint(1, 50)]
            case 2:
                body[at : at + 1] = bytes([random.randrange(256)])
            case _:
                body[at:at] = body[at : at + random.randint(1, 200)]
    sent = bytes(body)
    return _request(random, "bytes", path, sent, _signature(random, sent), 200, 422)


def _random_bytes(random: Random) -> Input:
    body = random.choice(
        (
            random.randbytes(random.randint(0, 300)),
            b"",
            b"[" * random.randint(1, 40_000),
            b'{"a":' * random.randint(1, 8000),
        )
    )
    given = _signed(random, "noise", body, 422)
    if given.path == SERVED[-1].path and _is_json(body):  # some noise is a number, and an event may be any JSON
        given.expected |= {200}
    return given


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _bad_signature(random: Random) -> Input:
    path, document = _sample(random)
    body = _to_body(random, document)
    good = _signature(random, body)
    headers = random.choice(
        (
            [],
            [*good, *good],
            [(good[0][0], random.choice(ODD_SIGNATURES))],
            [(good[0][0], random.randbytes(random.randint(0, 80)))],
            [(good[0][0], good[0][1][:-1])],
            _signature(random, body + b" "),
            [
                (b"webhook-id", b"m"),
                (b"webhook-timestamp", random.choice(ODD_SIGNATURES)),
                (b"webhook-signature", b"v1,x"),
            ],
        )
    )
    return _request(random, "signature", path, body, headers, 401)


def _bad_type(random: Random) -> Input:
    given = _good(random)
    kinds = (
        b"",
        b"text/plain",
        b"application/jsonx",
        b"\xff",
        b"multipart/form-data; boundary=x",
        b"application/json\x00",
    )
    if random.random() < 0.7:
        given.headers[0] = (b"content-type", random.choice(kinds))
    else:
        given.headers.append((b"content-encoding", random.choice((b"gzip", b"br", b"\xff", b"identity, gzip"))))
    given.what, given.expected = "type", frozenset({415})
    return given


def _bad_target(random: Random) -> Input:
    given = _good(random)
    given.what = "target"
    if random.random() < 0.5:
        given.method, given.expected = random.choice(("GET", "PUT", "DELETE", "X" * 500, "\u00e9")), frozenset({405})
    else:
        junk = "".join(chr(random.randrange(32, 0x2FF)) for _ in range(random.randint(0, 60)))
        given.path, given.expected = "/" + junk, frozenset({404})
        assert kind_at(given.path) is None
    return given


def _too_large(random: Random) -> Input:
    body = random.randbytes(20) * random.randint(MAX_BODY_BYTES // 20 + 1, MAX_BODY_BYTES // 10)
    given = _signed(random, "size", body, 413)
    if random.random() < 0.3:
        given.headers.append((b"content-length", b"9" * random.randint(6, 4000)))
    return given


def _odd_headers(random: Random) -> Input:
    given = _good(random)
    given.what = "headers"
    for _ in range(random.randint(1, 5)):
        name = random.choice((b"traceparent", b"x-forwarded-for", b"host", b"cookie", b"x-" + random.randbytes(3), b""))
        given.headers.append((name, random.randbytes(random.randint(0, 200))))
    return given


class Fuzz:
    """One run against one gateway."""

    def __init__(self, seed: int) -> None:
        gateway = Gateway(settings(max_body_bytes=MAX_BODY_BYTES), ForgetfulPublisher())
        gateway.reception._duplicates._capacity = REMEMBERED
        self._app = create_app(gateway)
        self._seed = seed

    async def run(self, inputs: int) -> Report:
        """Send them all, one after the other."""
        report, process, started = Report(), psutil.Process(os.getpid()), time.monotonic()
        base = 0
        for number in range(inputs):
            if number == int(inputs * WARM_UP):
                gc.collect()
                base = process.memory_info().rss
            await self._one(number, report)
            await asyncio.sleep(0)  # lets the loop drop the deadlines of what is done, as any network does
        gc.collect()
        report.growth_mib = (process.memory_info().rss - base) / 2**20
        report.seconds = time.monotonic() - started
        return report

    async def _one(self, number: int, report: Report) -> None:
        given = make_input(self._seed, number)
        try:
            status, body, headers = await self._send(given)
        except Exception as error:
            report.wrong.append(f"input {number} ({given.what}): {type(error).__name__}: {error}")
            return
        report.answers[f"{given.what} {status}"] += 1
        document = json.loads(body) if body else None
        is_told = document == {} if status == 200 else document is not None and document["status"] == status
        if status not in given.expected or not is_told:
            report.wrong.append(f"input {number} ({given.what}): {status}, expected {sorted(given.expected)}")
        if status in (429, 503) and int(headers[b"retry-after"]) < 1:
            report.wrong.append(f"input {number}: no Retry-After")

    async def _send(self, given: Input) -> tuple[int, bytes, dict[bytes, bytes]]:
        pending = [*({"type": "http.request", "body": c, "more_body": True} for c in given.chunks)]
        pending.append({"type": "http.request", "body": b"", "more_body": False})
        answer: list[Any] = []

        async def receive() -> Any:
            return pending.pop(0) if pending else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answer.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": given.method,
            "scheme": "http",
            "path": given.path,
            "raw_path": given.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": given.headers,
            "client": ("192.0.2.7", 1),
            "server": ("gateway", 80),
        }
        await self._app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in answer[1:])
        return answer[0]["status"], body, dict(answer[0]["headers"])


async def run(seed: int, inputs: int) -> Report:
    """A run of this many inputs."""
    return await Fuzz(seed).run(inputs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=100_000)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = asyncio.run(run(arguments.seed, arguments.inputs))
    for answer, count in sorted(report.answers.items()):
        sys.stdout.write(f"{count:>8}  {answer}\n")
    for line in report.wrong[:20]:
        sys.stdout.write(f"WRONG {line}\n")
    sys.stdout.write(
        f"{arguments.inputs} inputs in {report.seconds:.0f} s, {len(report.wrong)} wrong answers, "
        f"memory grew by {report.growth_mib:.1f} MiB (limit {GROWTH_LIMIT_MIB})\n"
    )
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
