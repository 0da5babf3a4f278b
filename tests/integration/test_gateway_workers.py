"""Several worker processes on one port are one gateway: for the sender, for health and metrics, and for the limits."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.runtime import exits
from schemas.signatures.keys import Key
from schemas.signatures.signing import sign
from schemas.topics import CALLBACKS, QUARANTINE
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.gateway_metrics import DRIVEN, MORE_OR_LESS
from tests.support.load.steady import SteadyLoad
from tests.support.processes.gateway import (
    Client,
    GatewayProcess,
    end_offsets,
    records_since,
    running_gateway,
)
from tests.support.processes.service import KafkaProcess
from tests.support.requests import KEY, signed
from tests.support.topics import create_topics
from tests.support.waiting import PATIENCE_S, wait_until

WORKERS = 2
HELD_S = 1.5  # without an answer: longer than a busy worker takes, so it waits for one that does not go on
TOLD_S = 5.0  # within which /readyz tells of an outage and of its end
OF_ONE_PROCESS = {series.partition("{")[0].removesuffix("_count") for series in (*DRIVEN, *MORE_OR_LESS)}
OF_THE_PARENT = {
    "gateway_ops_refused_total",
    "gateway_workers",
    "gateway_workers_configured",
    "gateway_worker_restarts_total",
    "gateway_worker_resident_memory_bytes",
}
UNSIGNED = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with KafkaProcess(tmp_path_factory.mktemp("workers-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka


@pytest.fixture
async def client(kafka: KafkaProcess, registry_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([{"id": "file", "secret": "planted-s3cret-of-the-file"}]))
    environ = {"AIRUDDER_SIGNING_KEYS_FILE": str(keys), "GATEWAY_WORKERS": str(WORKERS)}
    async with running_gateway(
        kafka.bootstrap_servers,
        registry_url,
        tmp_path,
        is_ready=True,
        **environ,
        GATEWAY_QUARANTINE_BYTES_PER_DAY="60000",
    ) as client:
        await wait_until(lambda: all_serve(client), 30, "every worker to serve")
        yield client


def is_ours(name: str) -> bool:
    return not name.startswith("process_") and not name.endswith(("_created", "_bucket", "_sum"))


def workers_of(gateway: GatewayProcess) -> list[psutil.Process]:
    return psutil.Process(gateway.pid).children()


def busiest(gateway: GatewayProcess) -> psutil.Process:
    """Whoever is free takes the next connection, so one worker may have them all."""
    return max(workers_of(gateway), key=lambda worker: len(worker.net_connections("tcp")))


async def metrics(client: Client) -> dict[str, float]:
    """The metrics without labels, and the sum over labels of those with some."""
    told: dict[str, float] = {}
    for family in text_string_to_metric_families((await client.http.get(client.gateway.ops_url + "/metrics")).text):
        for sample in family.samples:
            told[sample.name] = told.get(sample.name, 0) + sample.value
    return told


async def all_serve(client: Client) -> bool:
    return (await metrics(client))["gateway_workers"] == WORKERS


async def post_anew(client: Client, body: bytes, headers: dict[str, str] | None = None) -> int:
    """On a connection of its own, so that any worker may get it."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        url = client.gateway.url + "/webhooks/airudder/call-completion"
        return (await http.post(url, content=body, headers=headers or signed(body))).status_code


async def test_a_killed_worker_is_replaced_and_neither_callbacks_nor_counts_are_lost(
    client: Client, kafka: KafkaProcess
) -> None:
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    counts: list[float] = []

    async def counted() -> float:
        counts.append((await metrics(client))["webhook_requests_total"])
        return counts[-1]

    async with SteadyLoad([client.gateway], "killed") as load:
        await load.go_on(200)
        await counted()
        victim = busiest(client.gateway)
        victim.suspend()  # so that it has requests when it dies
        await wait_until(lambda: load.oldest_s() > HELD_S, PATIENCE_S, "the victim to hold requests")
        victim.kill()
        await wait_until(lambda: client.gateway.lines("gateway.worker_died"), PATIENCE_S, "the death to be noticed")
        await counted()
        await load.go_on(200)
        await wait_until(lambda: all_serve(client), 30, "the killed worker's successor")
        await load.go_on(200)

    answered = load.answers.total()
    stored = {dict(record.headers)["ce_id"].decode() for record in await records_since(kafka.bootstrap_servers, start)}
    assert set(load.answers) == {200}
    assert load.accepted <= stored
    assert load.broken  # it bit: connections broke with the worker
    assert answered <= await counted() <= answered + len(load.broken)
    assert counts == sorted(counts)
    for number in range(50):
        await post_anew(client, to_body(with_detail(call_id=f"after-{number}")))
    assert await counted() == counts[-2] + 50
    told = await metrics(client)
    assert told["webhook_requests_total"] == told["http_server_request_duration_seconds_count"]
    assert told["gateway_worker_restarts_total"] == 1
    assert told["gateway_worker_resident_memory_bytes"] > 50_000_000
    assert told["gateway_workers_configured"] == told["gateway_workers"] == WORKERS
    assert {name.removesuffix("_count") for name in told if is_ours(name)} - set(OF_ONE_PROCESS) == OF_THE_PARENT
    assert {line["worker"] for line in client.gateway.lines("callback")} == {1, 2}
    assert [line["exit_code"] for line in client.gateway.lines("gateway.worker_died")] == [-signal.SIGKILL]


async def test_readyz_tells_the_truth_over_all_workers_and_livez_does_not_ask_kafka(
    client: Client, kafka: KafkaProcess
) -> None:
    kafka.freeze()
    try:
        await wait_until(lambda: is_unready(client, "Kafka"), TOLD_S, "not ready")
        started = time.monotonic()
        alive = await client.http.get(client.gateway.ops_url + "/livez")
        livez_s = time.monotonic() - started
        told = await metrics(client)
    finally:
        kafka.thaw()
    await client.wait_until_ready(TOLD_S)

    assert (alive.status_code, livez_s < 1) == (200, True)
    assert (told["gateway_ready"], told["gateway_kafka_up"]) == (0, 0)
    assert (await metrics(client))["gateway_kafka_up"] == 1


async def is_unready(client: Client, reason: str) -> bool:
    answer = await client.readyz()
    return answer.status_code == 503 and any(reason in told for told in answer.json()["reasons"])


async def test_a_worker_that_stands_still_makes_the_gateway_unready_until_it_goes_on(client: Client) -> None:
    worker = workers_of(client.gateway)[0]
    worker.suspend()
    try:
        await wait_until(lambda: is_unready(client, "does not answer"), TOLD_S, "not ready")
    finally:
        worker.resume()
    await client.wait_until_ready(TOLD_S)

    assert worker.is_running()


async def test_a_worker_that_stands_still_for_good_is_replaced(client: Client) -> None:
    hung = workers_of(client.gateway)[0]
    hung.suspend()

    await wait_until(lambda: client.gateway.lines("gateway.worker_hung"), 30, "the worker to be given up")
    await wait_until(lambda: all_serve(client), 30, "its successor")

    assert not hung.is_running()
    assert (await client.readyz()).status_code == 200


async def test_sighup_reloads_the_keys_of_every_worker(client: Client, tmp_path: Path) -> None:
    new = Key("new", b"planted-s3cret-that-is-new")
    (tmp_path / "keys.json").write_text(json.dumps([{"id": new.id, "secret": new.secret.decode()}]))
    client.gateway.signal(signal.SIGHUP)

    def have_taken_it() -> set[int]:
        return {line["worker"] for line in client.gateway.lines("keys.loaded") if "new" in line["in_force"]}

    await wait_until(lambda: have_taken_it() == {1, 2}, PATIENCE_S, "both workers to have the new key")
    for number in range(10):
        body = to_body(with_detail(call_id=f"new-{number}"))
        headers = {**UNSIGNED, **sign(body, "hmac-sha256", new, "X-AIRudder-Sign", 0)}
        assert await post_anew(client, body, headers) == 200


async def test_sigterm_finishes_what_every_worker_has_in_flight(client: Client, kafka: KafkaProcess) -> None:
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    half_sent, terminated = asyncio.Semaphore(0), asyncio.Event()

    async def slowly(body: bytes) -> AsyncIterator[bytes]:
        yield body[:100]
        half_sent.release()
        await terminated.wait()
        yield body[100:]

    async def post(number: int) -> int:
        body = to_body(with_detail(call_id=f"drained-{number}"))
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
            url = client.gateway.url + "/webhooks/airudder/call-completion"
            return (await http.post(url, content=slowly(body), headers=signed(body))).status_code

    posts = [asyncio.create_task(post(number)) for number in range(20)]
    for _ in posts:
        await half_sent.acquire()
    await wait_until(lambda: are_in_flight(client, len(posts)), PATIENCE_S, "all in flight")
    client.gateway.signal(signal.SIGTERM)
    await wait_until(lambda: is_unready(client, "stopping"), PATIENCE_S, "not ready")
    await wait_until(lambda: len(client.gateway.lines("gateway.draining")) == 1 + WORKERS, PATIENCE_S, "all to drain")
    terminated.set()

    assert await asyncio.gather(*posts) == [200] * len(posts)
    assert await client.gateway.exit_code() == 0
    assert len(await records_since(kafka.bootstrap_servers, start)) == len(posts)


async def are_in_flight(client: Client, count: int) -> bool:
    return (await metrics(client))["webhook_in_flight"] == count


def counter_files(metrics_dir: Path) -> set[str]:
    return {file.name for file in metrics_dir.glob("counter_*.db")}


async def test_workers_end_when_their_parent_is_killed(client: Client) -> None:
    workers = workers_of(client.gateway)
    metrics_dir = Path(workers[0].cmdline()[-1])
    assert counter_files(metrics_dir) == {"counter_1.db", "counter_2.db"}

    client.gateway.kill()

    await wait_until(lambda: not any(worker.is_running() for worker in workers), 15, "the workers' end")
    assert counter_files(metrics_dir) == set()


async def test_all_workers_together_keep_to_the_days_quarantine_also_after_a_death(
    client: Client, kafka: KafkaProcess
) -> None:
    start = await end_offsets(kafka.bootstrap_servers, QUARANTINE)

    async def flood() -> None:
        """Each worker gets its half, while the others stand still: left to themselves, one may get everything."""
        for busy in workers_of(client.gateway):
            idle = [worker for worker in workers_of(client.gateway) if worker != busy]
            for worker in idle:
                worker.suspend()
            answers = [await post_anew(client, to_body(EXAMPLE), UNSIGNED) for _ in range(15)]
            for worker in idle:
                worker.resume()
            assert set(answers) == {401}

    await flood()
    workers_of(client.gateway)[0].kill()
    await wait_until(lambda: client.gateway.lines("gateway.worker_died"), PATIENCE_S, "the death")
    await wait_until(lambda: all_serve(client), 30, "the successor")
    await flood()

    told = await metrics(client)
    kept = await records_since(kafka.bootstrap_servers, start)
    assert told["webhook_quarantine_bytes_limit"] == 60000
    assert 30000 < told["webhook_quarantine_bytes_today"] <= 60000
    assert 6 <= len(kept) <= 60000 // len(to_body(EXAMPLE))
    assert told["webhook_quarantined_total"] == 60


async def test_what_workers_spooled_is_delivered_by_the_one_that_is_left(
    kafka: KafkaProcess, registry_url: str, tmp_path: Path
) -> None:
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    spool = {"GATEWAY_SPOOL_DIR": str(tmp_path / "spool"), "GATEWAY_PUBLISH_TIMEOUT_S": "1"}
    bodies = [to_body(with_detail(call_id=f"spooled-{number}")) for number in range(40)]
    async with running_gateway(
        kafka.bootstrap_servers, registry_url, tmp_path, is_ready=True, **spool, GATEWAY_WORKERS=str(WORKERS)
    ) as client:
        await wait_until(lambda: all_serve(client), 30, "every worker to serve")
        kafka.freeze()
        try:
            assert set(await asyncio.gather(*(post_anew(client, body) for body in bodies))) == {200}
            spools = {line["worker"] for line in client.gateway.lines("callback") if line["outcome"] == "spooled"}
            for process in [psutil.Process(client.gateway.pid), *workers_of(client.gateway)]:
                process.kill()
            await client.gateway.exit_code()
        finally:
            kafka.thaw()
    async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path, is_ready=True, **spool) as client:
        await wait_until(lambda: is_drained(client), 30, "the spools to be empty")
        taken = client.gateway.lines("spool.taken_over")

    stored = {record.key.decode() for record in await records_since(kafka.bootstrap_servers, start)}
    assert {f"spooled-{number}" for number in range(40)} <= stored
    assert len(taken) == len(spools) > 0


async def is_drained(client: Client) -> bool:
    return (await metrics(client))["webhook_spool_entries"] == 0


async def test_a_worker_that_cannot_start_ends_the_gateway_with_its_reason(
    kafka: KafkaProcess, registry_url: str, tmp_path: Path
) -> None:
    (tmp_path / "spool").write_text("not a directory")
    gateway = GatewayProcess(
        kafka.bootstrap_servers,
        registry_url,
        tmp_path / "gateway.log",
        GATEWAY_SPOOL_DIR=str(tmp_path / "spool"),
        GATEWAY_WORKERS=str(WORKERS),
    )
    try:
        gateway.start()
        exit_code = await gateway.exit_code()
    finally:
        gateway.kill()

    assert exit_code == exits.DISK
    assert "cannot use GATEWAY_SPOOL_DIR" in gateway.log_path.read_text()


async def test_no_process_reveals_a_secret_or_a_number(client: Client) -> None:
    phone, transcript = "447700900123", "my planted transcript"
    good = to_body(with_detail(callee=f"+{phone}", intention_description=transcript, planted=f"+{phone}"))
    odd = to_body(with_detail(callee=447700900123, intention_description=[transcript]))
    bad = to_body(with_detail(call_id=[447700900123, transcript]))
    answers = []
    for body, headers in ((good, None), (odd, None), (bad, None), (good, UNSIGNED)):
        answers.append(await client.post(body, headers))
    told = (await client.http.get(client.gateway.ops_url + "/metrics")).text + (await client.readyz()).text
    client.gateway.signal(signal.SIGHUP)
    workers_of(client.gateway)[0].kill()
    await wait_until(lambda: client.gateway.lines("gateway.worker_died"), PATIENCE_S, "the death")
    await client.gateway.stop()

    told += client.gateway.log_path.read_text() + "".join(f"{answer.headers} {answer.text}" for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 200, 422, 401]
    for secret in (
        phone,
        transcript,
        KEY.secret.decode(),
        "planted-s3cret-of-the-file",
        signed(good)["X-AIRudder-Sign"],
    ):
        assert secret not in told
