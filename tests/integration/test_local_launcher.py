"""`streams up` with stub roles and, in place of broker and registry, what the environment names."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from streams.local.probes import broker_is_ready
from tests.support.clients import SCHEMA, consume, create_topic, produce, register
from tests.support.waiting import wait_until, wait_until_true

STUB_UP = Path(__file__).with_name("local_stub_up.py")
READY_S = 60.0
STOP_S = 25.0
EXTERNAL = {"KAFKA_BOOTSTRAP_SERVERS": "kafka.invalid:9092", "SCHEMA_REGISTRY_URL": "http://u:secret@registry.invalid"}


class StubUp:
    """A launcher in a process of its own."""

    def __init__(self, data_dir: Path, output_path: Path, options: Sequence[str], environment: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.output_path = output_path
        with self.output_path.open("w") as output:
            self.process = subprocess.Popen(
                (sys.executable, str(STUB_UP), str(data_dir), *options),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
            )

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    def log(self, name: str) -> str:
        return (self.data_dir / "logs" / f"{name}.log").read_text()

    def pids(self, name: str) -> list[int]:
        """Of every start of a stub, the newest last."""
        return [int(line.split()[1]) for line in self.log(name).splitlines() if line.startswith("stub ")]

    def says(self, pattern: str) -> bool:
        """Whether its output has what the regular expression describes."""
        return re.search(pattern, self.output) is not None

    def wait_for(self, pattern: str, deadline_s: float = READY_S) -> None:
        """Until it says so. Raises: AssertionError when it ends before."""
        wait_until_true(lambda: self.says(pattern) or self.process.poll() is not None, deadline_s, pattern)
        assert self.says(pattern), self.output

    def wait_until_ready(self) -> None:
        self.wait_for("\nready\n")

    def address(self, of: str) -> str:
        """What the launcher has printed beside `of`."""
        return next(line.split()[-1] for line in self.output.splitlines() if line.strip().startswith(of))

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> None:
        self.process.terminate()
        self.wait_for_exit()

    def wait_for_exit(self) -> int:
        return self.process.wait(STOP_S)


StartUp = Callable[..., StubUp]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[StartUp]:
    with ExitStack() as stack:

        def start(*options: str, data_dir: str = "data", environment: dict[str, str] = EXTERNAL) -> StubUp:
            output_path = tmp_path / f"{len(list(tmp_path.glob('*.out')))}.out"
            up = StubUp(tmp_path / data_dir, output_path, options, environment)
            stack.callback(up.stop)
            return up

        yield start


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs; one that nobody has waited for yet does not run any more."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_order_with_exit_code_0(start_up: StartUp, number: signal.Signals) -> None:
    up = start_up("demo=")
    up.wait_until_ready()
    children = up.children()

    up.process.send_signal(number)

    assert up.wait_for_exit() == 0
    assert gone(children)
    ready, subscribe, *end = up.output.splitlines()[-4:]
    assert (ready, subscribe.split()[0], end) == ("ready", "subscribe:", ["stopping", "stopped"])
    assert "error" not in up.output


def test_the_addresses_are_shown_before_ready_and_services_of_the_environment_are_left_alone(start_up: StartUp) -> None:
    up = start_up()
    up.wait_until_ready()

    assert "using Kafka at kafka.invalid:9092 (KAFKA_BOOTSTRAP_SERVERS): not started here\n" in up.output
    assert "/webhooks/airudder/call-completion\n" in up.output.partition("\nready\n")[0]
    assert "schema registry     http://registry.invalid\n" in up.output
    assert "secret" not in up.output
    assert not (up.data_dir / "kafka").exists()


def test_a_killed_launcher_leaves_no_process_behind_and_its_data_dir_can_be_used_again(start_up: StartUp) -> None:
    up = start_up("worker=--child", "gateway=--ignore-sigterm")
    up.wait_until_ready()
    children = up.children()
    # gateway, worker, the worker's own child, monitor, reaper
    assert len(children) == 5

    up.process.kill()
    up.process.wait()
    again = start_up()
    again.wait_until_ready()

    assert gone(children)
    assert f"waiting for what process {up.process.pid} left running to end\n" in again.output


def test_a_role_that_dies_is_said_and_started_again_later_and_later(start_up: StartUp) -> None:
    up = start_up("worker=--child")
    up.wait_until_ready()
    (first,) = up.pids("worker")
    first_family = [psutil.Process(first), *psutil.Process(first).children()]

    os.kill(first, signal.SIGKILL)
    up.wait_for(r"worker died after \d+ s with SIGKILL; starting it again in 0\.5 s")
    wait_until_true(lambda: len(up.pids("worker")) == 2, READY_S, "a second worker")
    os.kill(up.pids("worker")[-1], signal.SIGTERM)
    up.wait_for(r"with SIGTERM; starting it again in 1 s")
    wait_until_true(lambda: len(up.pids("worker")) == 3, READY_S, "a third worker")

    assert len(first_family) == 2
    assert gone(first_family)


@pytest.mark.parametrize("exit_code", [78, 2])
def test_a_role_that_refuses_its_settings_stops_all_with_its_exit_code(
    start_up: StartUp, tmp_path: Path, exit_code: int
) -> None:
    switch = tmp_path / "refuse"
    up = start_up(f"monitor=--exit-if-exists {switch} {exit_code}")
    up.wait_until_ready()
    children = up.children()

    switch.touch()
    os.kill(up.pids("monitor")[0], signal.SIGKILL)

    assert up.wait_for_exit() == exit_code
    assert gone(children)
    assert f"error: monitor refused to start with exit code {exit_code}. Its log, " in up.output
    assert f"    stub {up.pids('monitor')[-1]} on " in up.output


@pytest.mark.parametrize(("topics", "exit_code"), [("78", 78), ("69", 69)])
def test_nothing_is_served_when_the_topics_cannot_be_applied(start_up: StartUp, topics: str, exit_code: int) -> None:
    up = start_up(f"topics={topics}")

    assert up.wait_for_exit() == exit_code
    assert f"error: topics could not be applied: exit code {topics}. The log, " in up.output
    assert not (up.data_dir / "logs" / "gateway.log").exists()


def test_a_role_that_does_not_become_ready_is_named_with_its_last_lines(start_up: StartUp) -> None:
    up = start_up("worker=--exit 3", "roles-timeout=1")

    assert up.wait_for_exit() == 69
    assert up.says(r"worker died after \d+ s with exit code 3; starting it again in 0\.5 s")
    assert "error: not ready after 1 s: worker\nworker: its log, " in up.output
    assert "\nready\n" not in up.output


def test_a_demo_that_finishes_is_not_started_again(start_up: StartUp) -> None:
    up = start_up("demo=--exit 0")
    up.wait_until_ready()
    up.wait_for("demo has finished")

    assert len(up.pids("demo")) == 1


def test_a_second_signal_ends_at_once_what_is_still_stopping(start_up: StartUp) -> None:
    stubborn = [f"{role}=--ignore-sigterm" for role in ("gateway", "worker", "monitor")]
    up = start_up(*stubborn, f"stop-timeout={10 * READY_S}")
    up.wait_until_ready()
    children = up.children()

    up.process.send_signal(signal.SIGINT)
    up.wait_for("stopping")
    up.process.send_signal(signal.SIGINT)
    up.wait_for("gateway did not end in time and is killed")

    assert up.wait_for_exit() == 0
    assert gone(children)


def test_a_signal_while_starting_stops_all(start_up: StartUp) -> None:
    up = start_up("worker=--exit 3")
    up.wait_for("worker died")

    up.process.send_signal(signal.SIGTERM)

    assert up.wait_for_exit() == 0
    assert up.output.endswith("stopping\nstopped\n")


def test_the_same_data_dir_is_refused_naming_who_has_it(start_up: StartUp) -> None:
    first = start_up()
    first.wait_until_ready()

    second = start_up()

    assert second.wait_for_exit() == 4
    assert f"is in use by another `streams up`, process {first.process.pid}: stop it" in second.output
    assert first.process.poll() is None


def test_two_systems_side_by_side_do_not_meet(start_up: StartUp) -> None:
    first, second = start_up(data_dir="one"), start_up(data_dir="two")
    first.wait_until_ready()
    second.wait_until_ready()

    first.process.terminate()

    assert first.wait_for_exit() == 0
    assert second.process.poll() is None
    assert not gone(second.children())


@pytest.mark.parametrize("option", ["gateway-port", "gateway-ops-port", "monitor-port"])
def test_a_taken_port_is_reported_with_its_option(start_up: StartUp, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        up = start_up(f"{option}={port}")

        assert up.wait_for_exit() == 3
        assert f"error: port {port} of 127.0.0.1 is taken by another program" in up.output
        assert f"--{option}" in up.output


def test_one_port_for_two_is_refused(start_up: StartUp) -> None:
    up = start_up("gateway-port=21000", "monitor-port=21000")

    assert up.wait_for_exit() == 3
    assert "--gateway-port and --monitor-port are both 21000" in up.output


def test_a_setting_that_is_no_port_is_refused(start_up: StartUp) -> None:
    up = start_up(environment={**EXTERNAL, "STREAMS_OPS_PORT": "many"})

    assert up.wait_for_exit() == 78
    assert "STREAMS_OPS_PORT: Input should be a valid integer" in up.output


def test_a_data_dir_that_cannot_be_made_is_reported(start_up: StartUp, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    up = start_up(data_dir="file/data")

    assert up.wait_for_exit() == 6
    assert "error: cannot write to " in up.output
    assert "--data-dir" in up.output


def test_offline_with_an_empty_cache_ends_with_the_remedy(start_up: StartUp, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"  # port 9, discard: nobody listens
    (tmp_path / "jgo.conf").write_text(f"[repositories]\ncentral = {nowhere}\n")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JGO_CONFIG_FILE": str(tmp_path / "jgo.conf")}
    unset = {"KAFKA_BOOTSTRAP_SERVERS": "", "SCHEMA_REGISTRY_URL": ""}

    up = start_up(environment=environment | unset)

    assert up.wait_for_exit() == 5
    assert "error: cannot download " in up.output
    assert "The first start downloads Kafka and the registry once and needs the network" in up.output


async def test_the_real_services_keep_their_data_over_a_killed_launcher_and_are_started_again_when_they_die(
    start_up: StartUp,
) -> None:
    here = {"KAFKA_BOOTSTRAP_SERVERS": "", "SCHEMA_REGISTRY_URL": "", "LC_ALL": "C"}
    data_dir = "daten für #1"  # a space, a letter beyond ASCII and a comment sign: as people name directories
    up = start_up(data_dir=data_dir, environment=here)
    up.wait_until_ready()
    topic = await create_topic(up.address("bootstrap servers"))
    await produce(up.address("bootstrap servers"), topic, b"one")
    schema_id = register(up.address("schema registry"), "calls-value", SCHEMA)
    children = up.children()

    up.process.kill()
    up.process.wait()
    again = start_up(data_dir=data_dir, environment=here)
    again.wait_until_ready()

    assert gone(children)
    bootstrap_servers = again.address("bootstrap servers")
    assert await consume(bootstrap_servers, topic, 1) == [b"one"]
    assert register(again.address("schema registry"), "calls-value", SCHEMA) == schema_id

    (broker,) = (child for child in again.children() if "kafka.Kafka" in child.cmdline())
    broker.kill()
    again.wait_for("kafka died after ")
    port = int(bootstrap_servers.rpartition(":")[2])
    await wait_until(lambda: broker_is_ready(port), READY_S, "the broker to be back")
    assert await consume(bootstrap_servers, topic, 1) == [b"one"]

    again.process.terminate()
    assert again.wait_for_exit() == 0
