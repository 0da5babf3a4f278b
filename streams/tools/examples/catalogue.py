"""The consumers to copy of `schemas/examples`: file, libraries, and the topics that they can read."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, OUTPUTS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES, Topic

EXAMPLES: Final = files("schemas") / "examples"


@dataclass(frozen=True)
class Example:
    """One program.

    file: below `schemas/examples`. install: the line that brings its libraries, from the files beside it. start: the
    line that runs it, saved as `name`. topics: what the file has; readable: what it can be given, one or all of topics.
    """

    file: str
    name: str
    start: str
    install: Callable[[Traversable], str]
    comment: str = "//"
    topics: tuple[Topic, ...] = (CALLS,)
    readable: tuple[Topic, ...] = OUTPUTS

    @property
    def folder(self) -> Traversable:
        return EXAMPLES / self.file.partition("/")[0]


def _pip(requirements: str) -> Callable[[Traversable], str]:
    def line(folder: Traversable) -> str:
        chosen = (folder / requirements).read_text(encoding="utf-8").partition("\n\n")[0]
        return f"pip install {shlex.join(chosen.splitlines())}"

    return line


def _npm(folder: Traversable) -> str:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return f"npm install {' '.join(f'{name}@{version}' for name, version in wanted.items())}"


def _go(folder: Traversable) -> str:
    lines = (folder / "go.mod").read_text(encoding="utf-8").splitlines()
    wanted = [line.split() for line in lines if line.startswith("\t") and "// indirect" not in line]
    pinned = " ".join(f"{name}@{version}" for name, version in wanted)
    return f"go mod init consumer && go get {pinned} && go mod tidy"


def _maven(folder: Traversable) -> str:
    return f"cp {shlex.quote(str(folder / 'pom.xml'))} . && mvn -q package"


def _python(file: str, requirements: str) -> Example:
    return Example(f"python/{file}", "consumer.py", "python consumer.py", _pip(f"requirements-{requirements}.txt"), "#")


def _database(file: str, requirements: str) -> Example:
    of_a_call = (CALLS, ANSWERS, CALL_ATTEMPTS)
    return Example(
        f"python/{file}",
        "consumer.py",
        "python consumer.py",
        _pip(f"requirements-{requirements}.txt"),
        "#",
        (*of_a_call, WORKFLOW_OUTCOMES),
        (*of_a_call, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES),
    )


LANGUAGES: Final[Mapping[str, Example]] = {
    "python": _python("confluent_consumer.py", "confluent"),
    "python-aiokafka": _python("aiokafka_consumer.py", "aiokafka"),
    "python-faust": _python("faust_app.py", "faust"),
    "python-postgres": _database("to_postgres.py", "postgres"),
    "python-sqlite": _database("to_sqlite.py", "sqlite"),
    "node": Example("node/consumer.js", "consumer.js", "node consumer.js", _npm),
    "java": Example("java/Consumer.java", "Consumer.java", "java -jar target/consumer.jar", _maven),
    "go": Example("go/main.go", "main.go", "go run .", _go),
}
