"""A lost registry is rebuilt from `schemas export`: every id means the same schema again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from schemas.codec import schema_text
from schemas.topics import CALLS, TOPICS, WORKFLOW_OUTCOMES
from tests.conftest import StartKafka, StartRegistry
from tests.support.clients import SCHEMA, call, register
from tests.support.deliveries import delivery, detail
from tests.support.processes.service import RegistryProcess
from tests.support.processes.tools import run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.times import now_ms

FLAG = {"name": "flag", "type": "boolean", "default": False}
OURS = json.loads(schema_text("Call"))
NEWER = {
    **OURS,
    "fields": [*OURS["fields"], {"name": "of_a_later_release", "type": ["null", "string"], "default": None}],
}


def lose(registry: RegistryProcess) -> None:
    """The registry dies with its data, and an empty one comes up at its address."""
    registry.kill()
    shutil.rmtree(registry.data_dir)
    registry.start()


def ids_of(url: str) -> dict[str, list[object]]:
    """Id, text and rule of every version of our subjects."""
    found: dict[str, list[object]] = {}
    for topic in TOPICS:
        for version in call(f"{url}/subjects/{topic.subject}/versions"):  # type: ignore[attr-defined]
            answer = call(f"{url}/subjects/{topic.subject}/versions/{version}")
            assert isinstance(answer, dict)
            found.setdefault(topic.subject, []).append((answer["id"], answer["schema"]))
        found[topic.subject].append(call(f"{url}/config/{topic.subject}") if topic.is_output else None)
    return found


@pytest.mark.timeout(300)
async def test_a_lost_registry_comes_back_from_its_export_and_every_old_record_decodes(
    start_kafka: StartKafka, start_registry: StartRegistry, tmp_path: Path
) -> None:
    registry, kafka, file = start_registry(), start_kafka(), tmp_path / "schemas.json"
    register(registry.url, "of-others-value", {**SCHEMA, "name": "OfOthers"})  # ids of ours do not begin at 1
    async with WorkerSystem(kafka.bootstrap_servers, registry.url, tmp_path) as system:
        worker = await system.start_worker()
        register(registry.url, "of-others-value", {**SCHEMA, "fields": [*SCHEMA["fields"], FLAG]})
        newer = register(registry.url, CALLS.subject, NEWER)
        for number in range(40):
            at = now_ms()
            await system.writer.write([delivery(detail(f"c{number}"), workflow=f"w{number % 4}")], at)
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 40)
        wire = (await system.read(CALLS, 40))[0].raw
        assert wire is not None
        await system.writer.write_raw(wire[:1] + newer.to_bytes(4) + wire[5:] + b"\x00", b"newer", CALLS)
        await wait_until_committed(system)
        before, counted = ids_of(registry.url), (await run(system, "recount", "--json")).stdout
        records = {topic.name: await system.read(topic) for topic in TOPICS}

        ran = await run(system, "schemas", "export", str(file))
        assert (ran.code, ran.stderr) == (0, "")
        assert worker.terminate() == 0
        lose(registry)
        assert "does not have this release's schema" in (await run(system, "topics", "check")).stderr
        ran = await run(system, "schemas", "import", str(file))
        assert (ran.code, ran.stderr) == (0, "")
        assert ids_of(registry.url) == before
        assert call(f"{registry.url}/subjects") == sorted(topic.subject for topic in TOPICS)

        ran = await run(system, "topics", "check")
        assert ran.code == 0, ran.stderr
        fresh = WorkerSystem(kafka.bootstrap_servers, registry.url, tmp_path / "fresh")
        async with fresh:  # its registry client has read nothing yet
            assert {topic.name: await fresh.read(topic) for topic in TOPICS} == records
        assert json.loads((await run(system, "recount", "--json")).stdout)["windows"] == json.loads(counted)["windows"]
        await system.start_worker("w2", STREAMS_DATA_DIR=str(tmp_path / "w1"))
        await system.writer.write([delivery(detail("after"), workflow="w0")], now_ms())
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 41)
        assert (await run(system, "recount")).code == 0

        ran = await run(system, "schemas", "import", str(file))
        assert (ran.code, ran.stdout.split()[0]) == (0, "0"), ran.stderr


async def test_an_import_writes_nothing_where_an_id_is_taken_and_stops_where_ids_have_gone_past(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    registry, file = start_registry(), tmp_path / "schemas.json"
    system = WorkerSystem("127.0.0.1:1", registry.url, tmp_path)
    assert (await run(system, "schemas", "export", str(file))).code == 69  # nothing to keep
    assert not file.exists()
    our_id = register(registry.url, CALLS.subject, SCHEMA)
    assert (await run(system, "schemas", "export", str(file))).code == 0

    lose(registry)
    assert register(registry.url, "of-others-value", {**SCHEMA, "name": "OfOthers"}) == our_id
    ran = await run(system, "schemas", "import", str(file))
    assert ran.code == 69
    assert f"id {our_id} is another schema in this registry" in ran.stderr
    assert call(f"{registry.url}/subjects") == ["of-others-value"]

    lose(registry)
    gone = register(registry.url, "gone-value", {**SCHEMA, "name": "Gone"})
    for path in ("/subjects/gone-value", "/subjects/gone-value?permanent=true"):
        call(f"{registry.url}{path}", method="DELETE")
    ran = await run(system, "schemas", "import", str(file))
    assert ran.code == 69
    assert f"id {gone + 1} where {our_id} is needed" in ran.stderr


@pytest.mark.parametrize("text", ["", "{}", '{"subjects": [], "exported_at": "", "format": "other/1"}', "[1]"])
async def test_a_file_that_is_none_of_ours_is_refused_before_the_registry_is_met(text: str, tmp_path: Path) -> None:
    system = WorkerSystem("127.0.0.1:1", "http://127.0.0.1:1", tmp_path)
    (tmp_path / "file").write_text(text)

    ran = await run(system, "schemas", "import", str(tmp_path / "file"))

    assert ran.code == 1
    assert ran.stderr.startswith("backup: ")
    assert "not a file of `schemas export`" in ran.stderr
