"""The view of one partition: verdict, what to do, the API's numbers, the record or why not, commands that exist."""

from __future__ import annotations

import json
import shlex
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest
import typer.main
from starlette.testclient import TestClient

import streams.__main__ as streams_main
from schemas.topics import CALLBACKS
from streams.monitor.app import create_app
from streams.monitor.errors import NotReadyError
from streams.monitor.history.memory import VERDICT, VerdictKey
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import MEANINGS, REMEDIES, VERDICTS
from streams.monitor.monitor import Monitor
from streams.monitor.records.commands import Stuck, commands
from streams.monitor.records.one import Found, RecordReader
from streams.monitor.records.one_view import record_view
from streams.monitor.settings import MonitorSettings
from streams.topics.decoding import Decoded, plain
from tests.support.pages import Tags, facts_of, resolve
from tests.support.panes import NOON_MS
from tests.support.records import callback, detail

WORKER = MonitorSettings().group
EVIL = 'a/b?c#d&"><script>{{ 7 * 7 }}'
ROW = PartitionLag(CALLBACKS.name, 3, 17, 2, 40, 23, 61.0, "stall", unmoved_s=60.0)
CALLEE = "+8610000000021"


@dataclass
class Stored:
    """A record as the client library has it."""

    value: bytes | None
    topic: str = CALLBACKS.name
    partition: int = 3
    offset: int = 17
    timestamp: int = NOON_MS
    key: bytes | None = b"call-1"
    headers: Sequence[tuple[str, bytes]] = (("ce_id", b"ab"), ("x-phone", CALLEE.encode()))


def found(
    decoded: Decoded | None, absent: str = "", schema: tuple[int | None, str | None] = (7, "airudder.Callback")
) -> Found:
    return Found(CALLBACKS, Partition(CALLBACKS.name, 3), 17, 2, 40, decoded, absent, *schema)


GOOD = Decoded(CALLBACKS, Stored(b"x" * 99), plain(callback(detail(callee=CALLEE)).to_datum()))
POISON = Decoded(
    CALLBACKS, Stored(struct.pack(">bI", 0, 4242)), None, "the registry does not know it", "unknown_schema"
)

Open = Callable[..., TestClient]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A monitor without a broker whose groups stand as told, and whose reader finds what it is given."""
    clients: list[TestClient] = []

    async def nothing(_: Monitor) -> None:
        """Polls nothing: the test says what is known."""

    monkeypatch.setattr(Monitor, "start", nothing)

    def make(
        answer: Found | Exception | None = None, group: str = WORKER, row: PartitionLag = ROW, **settings: Any
    ) -> TestClient:
        made = Monitor.__init__

        def init(self: Monitor, known: MonitorSettings) -> None:
            made(self, known)
            groups = (
                GroupLag("another", "Empty", 0, (ROW,), {}),
                GroupLag(group, "Stable", 1, (replace(row, partition=1), row), {}),
            )
            self.poller._snapshot = LagSnapshot(NOON_MS, groups, {}, {}, {})
            self.memory.add(self.poller.snapshot)

        async def read(_: RecordReader, place: Partition, offset: int) -> Found:
            assert (place, offset) == (Partition(row.topic, 3), 17)
            if isinstance(answer, Found):
                return answer
            raise answer or AssertionError("nothing was to be read")

        monkeypatch.setattr(Monitor, "__init__", init)
        if answer is not None:
            monkeypatch.setattr(RecordReader, "read", read)
        client = TestClient(create_app(MonitorSettings(**settings)), raise_server_exceptions=False)
        clients.append(client.__enter__())
        monkeypatch.setattr(Monitor, "__init__", made)
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def path(group: str = WORKER, row: PartitionLag = ROW) -> str:
    return f"/lag/{quote(group, safe='')}/{quote(row.topic, safe='')}/{row.partition}"


def test_it_says_what_is_wrong_what_to_do_and_shows_the_record_masked(opened: Open) -> None:
    answer = opened(found(GOOD)).get(path())
    text = " ".join(Tags(answer.text).text.split())

    assert answer.status_code == 200
    assert REMEDIES["stall"] in text
    assert MEANINGS["stall"][1:] in text
    assert "61 s" in text or "1 min" in text
    assert "airudder.Callback" in text
    assert '"callee": "***"' in text
    assert CALLEE not in answer.text
    assert f"python -m streams dead-letters show '{CALLBACKS.short_name}[3]@17'" in text
    assert "python -m streams trace-call call-1" in text


def test_every_number_that_it_marks_is_the_apis(opened: Open) -> None:
    client = opened(found(GOOD))
    facts = facts_of(client.get(path()).text)
    answers = {fact: client.get(fact).json() for fact, _, _ in facts}

    assert set(answers) == {"/api/lag", f"/api/records/{CALLBACKS.name}/3/17"}
    assert len(facts) >= 10
    assert all(resolve(answers[fact], pointer) == value for fact, pointer, value in facts)
    assert answers["/api/lag"]["groups"][1]["partitions"][1]["partition"] == 3


def test_a_record_that_cannot_be_decoded_has_its_reason_and_its_schema_id(opened: Open) -> None:
    text = " ".join(Tags(opened(found(POISON, schema=(4242, None))).get(path()).text).text.split())

    assert "It cannot be decoded: unknown schema. The registry does not know it (schema id 4242)." in text


def test_without_kafka_the_page_says_why_the_record_is_not_there(opened: Open) -> None:
    answer = opened(NotReadyError("Kafka did not answer within 5 s")).get(path())

    assert (answer.status_code, "Not shown: Kafka did not answer within 5 s." in answer.text) == (200, True)


def test_where_others_reach_the_monitor_no_record_is_read(opened: Open) -> None:
    client = opened(host="0.0.0.0")
    page, answer = client.get(path()), client.get(f"/api/records/{CALLBACKS.name}/3/17")

    assert (answer.status_code, answer.json()["code"]) == (403, "records_hidden")
    assert "MONITOR_SHOW_RECORDS=true" in answer.json()["detail"]
    assert (page.status_code, "MONITOR_SHOW_RECORDS=true" in page.text) == (200, True)


def test_a_topic_of_others_is_watched_and_not_read(opened: Open) -> None:
    row = replace(ROW, topic="orders")
    client = opened(None, "billing", row)
    answer = client.get(path("billing", row))

    assert client.get("/api/records/orders/3/17").status_code == 404
    assert "records of others are not shown" in answer.text
    assert "--reset-offsets --to-offset 18" in answer.text


def test_a_group_that_read_all_has_no_record_to_show(opened: Open) -> None:
    text = opened(None, row=replace(ROW, lag=0, verdict="ok")).get(path()).text

    assert "No record waits here." in text


def test_a_name_may_hold_anything(opened: Open) -> None:
    client = opened(found(GOOD), EVIL)
    answer = client.get(path(EVIL))

    assert answer.status_code == 200
    assert EVIL in Tags(answer.text).text
    assert Tags(answer.text).tags.count("script") == 2
    [line] = [line for line in Tags(answer.text).text.splitlines() if "lag --watch --group" in line]
    assert shlex.split(line)[-1] == EVIL


@pytest.mark.parametrize(
    ("place", "status"),
    [
        (f"/lag/{WORKER}/{CALLBACKS.name}/9", 404),
        (f"/lag/nobody/{CALLBACKS.name}/3", 404),
        (f"/lag/{WORKER}/{CALLBACKS.name}/three", 400),
        (f"/lag/{WORKER}/{CALLBACKS.name}/-1", 400),
        (f"/api/records/{CALLBACKS.name}/3/first", 400),
        (f"/api/records/{CALLBACKS.name}/3/{2**63}", 400),
        (f"/api/records/{CALLBACKS.name}/3/17?raw=1", 400),
    ],
)
def test_what_is_not_there_is_said(opened: Open, place: str, status: int) -> None:
    assert opened(None).get(place).status_code == status


def test_the_changes_of_its_verdict_are_its_own(opened: Open) -> None:
    client = opened(found(GOOD))
    monitor: Monitor = client.app_state["monitor"]
    for partition, verdict in ((3, "behind"), (30, "warn")):
        subject = VerdictKey(WORKER, CALLBACKS.name, partition).subject
        monitor.history.note(VERDICT, subject, NOON_MS, verdict)
    text = client.get(f"{path()}?from=2024-03-01T00:00:00Z&to=2024-04-01T00:00:00Z").text

    assert "verdict behind" in text
    assert "verdict warn" not in text


STUCK = Stuck(WORKER, True, CALLBACKS, CALLBACKS.name, 3, 17, NOON_MS, "call 1", "stall", "b:9092")


@pytest.mark.parametrize(
    "stuck", [STUCK, replace(STUCK, is_ours=False, group="it's", topic=None), replace(STUCK, is_ours=False)]
)
def test_every_command_of_ours_is_one_that_the_program_takes(stuck: Stuck) -> None:
    program = typer.main.get_command(streams_main.app)
    lines = [command.line for command in commands(stuck)]
    for line in (line for line in lines if line.startswith("python -m streams ")):
        parsed: Any = program
        words = shlex.split(line)[3:]
        while hasattr(parsed, "commands"):
            parsed = parsed.commands[words.pop(0)]
        parsed.make_context(parsed.name, words)

    assert lines


def test_every_verdict_has_a_remedy() -> None:
    assert set(REMEDIES) == set(VERDICTS)


def test_a_value_too_long_to_show_is_said_and_not_shown() -> None:
    decoded = GOOD._replace(value={**(GOOD.value or {}), "robot_hash": "x" * 200_000})
    record = record_view(found(decoded), NOON_MS)["record"]

    assert (record["value"], record["error"]["code"]) == (None, "too_long")
    assert len(json.dumps(record)) < 5_000
