"""The examples in Node, Java and Go: each is copied to an empty directory, built there as its readers do, and run."""

from __future__ import annotations

import asyncio
import shutil
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, WORKFLOW_OUTCOMES
from streams.tools.examples import catalogue
from tests.support.examples.expectation import committed, expected
from tests.support.examples.process import check_example, start_example
from tests.support.examples.stack import Stack
from tests.support.toolchains import GO, JAVA, NODE, Toolchain, build
from tests.support.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
READ = (CALLS, ANSWERS, CALL_ATTEMPTS, WORKFLOW_OUTCOMES)
ENDS_S = 60.0
CLOSED_PORT = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Language:
    """How its example is built and run, with the commands of the README."""

    name: str
    toolchain: Toolchain
    build: tuple[str, ...]
    run: tuple[str, ...]


LANGUAGES = (
    Language("node", NODE, ("npm", "ci"), ("node", "consumer.js")),
    Language("java", JAVA, ("mvn", "-q", "-B", "package"), ("java", "-jar", "target/consumer.jar")),
    Language("go", GO, ("go", "build", "-o", "consumer", "."), ("./consumer",)),
)


@dataclass(frozen=True)
class Program:
    """An example ready to run, and where."""

    command: tuple[str, ...]
    directory: Path


@pytest.fixture(scope="module", params=LANGUAGES, ids=lambda language: language.name)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    language: Language = request.param
    language.toolchain.require()
    directory = tmp_path_factory.mktemp(language.name) / "copy"
    shutil.copytree(EXAMPLES / language.name, directory)
    build(language.build, directory)
    return Program(language.run, directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_it_prints_each_record_once_at_its_highest_revision_and_ends_on_a_signal(
    stack: Stack, program: Program, number: int
) -> None:
    topics = READ if number == signal.SIGTERM else (CALLS,)
    async with asyncio.TaskGroup() as group:
        for topic in topics:
            group.create_task(check_example(stack, topic, program.command, program.directory, number=number))


async def test_it_passes_over_no_record_while_the_registry_is_away(stack: Stack, program: Program) -> None:
    group = f"example-{uuid.uuid4().hex[:8]}"
    environ = stack.environ | {"TOPIC": CALLS.name, "GROUP": group, "SCHEMA_REGISTRY_URL": CLOSED_PORT}
    example = start_example(program.command, program.directory, environ)

    def tells() -> bool:
        return any(not line.startswith("set aside") for line in example.said().splitlines())

    try:
        await wait_until(tells, ENDS_S, "a word about the registry")
    finally:
        example.stop()
    assert not example.lines()
    passed = await expected(stack.bootstrap, stack.registry_url, CALLS, await committed(stack.bootstrap, group))
    assert not passed.lines, example.said()


@pytest.mark.parametrize(
    ("name", "toolchain", "check"),
    [("node", NODE, 'node -e \'require("kafkajs"); require("avsc"); require("fzstd")\''), ("go", GO, "go build .")],
)
def test_the_line_that_streams_example_prints_brings_all_that_its_program_needs(
    name: str, toolchain: Toolchain, check: str, tmp_path: Path
) -> None:
    toolchain.require()
    example = catalogue.LANGUAGES[name]
    shutil.copyfile(EXAMPLES / example.file, tmp_path / example.name)

    build(("bash", "-c", f"{example.install(example.folder)} && {check}"), tmp_path)
