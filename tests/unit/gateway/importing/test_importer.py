"""An import without Kafka: which bytes are a body, what is left out, and how far an interrupted one has come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ImportStateError, PublishError, UnreadableFileError
from gateway.importing.bodies import Body, bodies_of, files_of
from gateway.importing.importer import Importer
from gateway.importing.state import ImportState
from gateway.webhooks.kinds import CALL_COMPLETION, WORKFLOW_STATUS_CHANGE, Kind, kind_at
from schemas.topics import CALLBACKS
from tests.support.deliveries import STATUS_CHANGE, delivery, detail, to_body
from tests.support.fakes import FakePublisher

PHONE = "+15550100"


def line(call_id: Any, **fields: Any) -> bytes:
    return json.dumps(delivery(detail(call_id, **fields))).encode()


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(one + b"\n" for one in lines))
    return path


class Run:
    """One import of files into a publisher in memory."""

    def __init__(self, publisher: FakePublisher | None, state: Path | None = None, **options: Any) -> None:
        self.refused: list[tuple[int, str]] = []
        self.importer = Importer(
            options.get("kind", CALL_COMPLETION),
            publisher,
            ImportState(state),
            None,
            options.get("max_body_bytes", 1_000_000),
            lambda body, reason: self.refused.append((body.line, reason)),
        )

    async def of(self, bodies: Iterable[Body]) -> list[int]:
        return [body.line async for body in self.importer.run(bodies)]


def test_a_body_is_the_bytes_of_its_line_and_a_json_file_is_one_body(tmp_path: Path) -> None:
    written(tmp_path / "b.jsonl", b'{"a": 1}\r', b"", b'  {"a":2} ', b"\xff")
    whole = to_body(delivery(detail("c")))
    (tmp_path / "a.json").write_bytes(whole)
    (tmp_path / "notes.txt").write_bytes(b"no body")

    files = files_of(str(tmp_path))
    bodies = [body for file in files for body in bodies_of(file)]

    assert [Path(file).name for file in files] == ["a.json", "b.jsonl"]
    assert [(body.line, body.body) for body in bodies] == [
        (1, whole),
        (1, b'{"a": 1}'),
        (3, b'  {"a":2} '),
        (4, b"\xff"),
    ]


@pytest.mark.parametrize("name", ["", "missing"])
def test_nothing_to_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFileError, match=str(tmp_path)):
        list(bodies_of(files_of(str(tmp_path / name) if name else str(tmp_path))[0]))


async def test_lines_become_the_records_that_the_gateway_would_have_made_but_for_who_vouches(tmp_path: Path) -> None:
    lines = [line("a"), line(17, duration="30"), line("a", duration=7)]
    publisher = FakePublisher()
    run = Run(publisher)
    await run.of(bodies_of(str(written(tmp_path / "f", *lines))))

    stored = publisher.records(CALLBACKS)
    records: list[Any] = [one.record for one in stored]
    assert [one.key for one in stored] == ["a", "17", "a"]
    assert [record.event_id for record in records] == [sha256(one).hexdigest() for one in lines]
    assert [dict(one.headers)["ce_id"].decode() for one in stored] == [record.event_id for record in records]
    assert {(record.signature_scheme, record.signature_key_id) for record in records} == {("import", None)}
    assert records[1].details[0].extra == {"call_id": "17", "duration": '"30"'}
    assert run.importer.outcome.deviations == {("details.call_id", "number"), ("details.duration", "string")}


async def test_what_is_no_callback_is_named_by_line_and_path_without_a_value_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    lines = [line("a"), PHONE.encode(), line(None, callee=PHONE), b"x" * 3000, line("b")]
    publisher = FakePublisher()
    run = Run(publisher, max_body_bytes=2500)
    await run.of(bodies_of(str(written(tmp_path / "f", *lines))))

    outcome = run.importer.outcome
    assert [number for number, _ in run.refused] == [2, 3, 4]
    assert run.refused[1][1] == "details[0].call_id: expected string or integer, got null"
    assert "GATEWAY_MAX_BODY_BYTES" in run.refused[2][1]
    assert PHONE not in str(run.refused)
    assert [one.key for one in publisher.records(CALLBACKS)] == ["a", "b"]
    assert (outcome.lines, outcome.published, outcome.refused) == (5, 2, 3)


async def test_records_of_one_key_are_never_on_their_way_together(tmp_path: Path) -> None:
    done = await Run(FakePublisher()).of(
        bodies_of(str(written(tmp_path / "f", line("a"), line("b"), line("a", duration=1), line("c"))))
    )

    assert done == [2, 4]


async def test_a_run_that_was_stopped_goes_on_behind_what_was_acknowledged(tmp_path: Path) -> None:
    file, state = written(tmp_path / "f", line("a"), b"none", line("a", duration=1), line("c")), tmp_path / "state"
    publisher = FakePublisher()
    stopped = Run(publisher, state)
    running = stopped.importer.run(bodies_of(str(file)))
    assert (await anext(running)).line == 2
    publisher.fault = "away"
    with pytest.raises(PublishError):
        await anext(running)
    publisher.fault = ""

    again = Run(publisher, state)
    await again.of(bodies_of(str(file)))

    assert [one.key for one in publisher.records(CALLBACKS)] == ["a", "a", "c"]
    assert (again.importer.outcome.done, again.importer.outcome.published) == (2, 2)


@pytest.mark.parametrize("others", [("x", "b", "c", "c"), ("x",)])
async def test_a_state_that_tells_of_other_lines_passes_over_none(tmp_path: Path, others: tuple[str, ...]) -> None:
    state = tmp_path / "state"
    await Run(FakePublisher(), state).of(bodies_of(str(written(tmp_path / "f", line("a"), line("b")))))
    publisher = FakePublisher()
    with pytest.raises(ImportStateError, match="is not the file"):
        await Run(publisher, state).of(bodies_of(str(written(tmp_path / "f", *map(line, others)))))

    assert publisher.stored == []
    (tmp_path / "broken").write_text("{")
    with pytest.raises(ImportStateError, match="no state"):
        ImportState(tmp_path / "broken")


async def test_a_dry_run_publishes_and_notes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run = Run(None, state)
    await run.of(bodies_of(str(written(tmp_path / "f", line("a"), line("b")))))

    assert run.importer.outcome.published == 2
    assert not state.exists()


@pytest.mark.parametrize("kind", [WORKFLOW_STATUS_CHANGE, kind_at("/webhooks/airudder/events/waba")])
async def test_every_webhook_can_be_imported(tmp_path: Path, kind: Kind[Any]) -> None:
    body, publisher = json.dumps(STATUS_CHANGE).encode(), FakePublisher()
    await Run(publisher, kind=kind).of(bodies_of(str(written(tmp_path / "f", body))))

    [stored] = publisher.stored
    assert stored.topic == kind.topic.name
    assert dict(stored.headers)["ce_id"].decode() == kind.record_id(sha256(body).hexdigest())
