"""`streams example`: consumers to copy, with what they need to run here."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from schemas.topics import CALLS
from streams.__main__ import app
from streams.settings import StreamsSettings
from streams.tools.examples.catalogue import EXAMPLES, LANGUAGES
from streams.tools.examples.writing import BOOTSTRAP_SERVERS, REGISTRY_URL, program, settings_here, steps

ROOT = Path(__file__).parents[4]
HERE = StreamsSettings.from_env(
    {"KAFKA_BOOTSTRAP_SERVERS": "10.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://10.0.0.2:2", "AIRUDDER_TOPIC_PREFIX": "p."}
)
PYTHON = [name for name in LANGUAGES if name.startswith("python")]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without a system, and no address in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "AIRUDDER_TOPIC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["example", *arguments])
    return result.exit_code, result.stdout, re.sub(r"[\s│]+", " ", result.stderr)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_has_its_addresses_and_its_topics_in_one_place_each(language: str) -> None:
    example = LANGUAGES[language]
    text = (EXAMPLES / example.file).read_text()

    places = (BOOTSTRAP_SERVERS, REGISTRY_URL, ",".join(topic.name for topic in example.topics))
    assert [text.count(place) for place in places] == [1, 1, 1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_has_the_addresses_and_the_real_names_of_this_system(language: str) -> None:
    example = LANGUAGES[language]
    text = program(example, HERE, example.topics)

    assert text.count('"10.0.0.1:1"') == text.count('"http://10.0.0.2:2"') == 1
    assert BOOTSTRAP_SERVERS not in text
    assert REGISTRY_URL not in text
    assert text.count("p.airudder.") == text.count("airudder.") - text.count("`airudder.") == len(example.topics)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_begins_with_what_to_type_as_a_comment(language: str) -> None:
    example = LANGUAGES[language]
    lines = program(example, HERE, example.topics).splitlines()
    wanted = steps(example, HERE)

    assert lines[: len(wanted)] == [f"{example.comment} {line}" for line in wanted]
    assert (EXAMPLES / example.file).name in {example.name, Path(example.file).name}


@pytest.mark.parametrize("language", PYTHON)
def test_what_pip_is_told_is_pinned_in_the_requirements_and_so_is_all_that_it_brings(language: str) -> None:
    example = LANGUAGES[language]
    compile(program(example, HERE, example.topics), example.name, "exec")
    told = example.install(example.folder).removeprefix("pip install ").replace("'", "").split()
    [listed] = [
        lines
        for path in Path(str(example.folder)).glob("requirements-*.txt")
        if (lines := path.read_text().splitlines())[: len(told)] == told and lines[len(told)] == ""
    ][:1]

    pins = [Requirement(line) for line in listed if line and not line.startswith("#")]
    assert [str(pin) for pin in pins if [each.operator for each in pin.specifier] != ["=="]] == []


def test_node_java_and_go_are_told_the_versions_of_their_own_files() -> None:
    wanted = json.loads((EXAMPLES / "node" / "package.json").read_text())["dependencies"]
    node, go, java = (LANGUAGES[name].install(LANGUAGES[name].folder) for name in ("node", "go", "java"))

    assert node.split()[2:] == [f"{name}@{version}" for name, version in wanted.items()]
    assert re.findall(r" (\S+)@(v\S+)", go) == re.findall(
        r"^\t(\S+) (v\S+)$", (EXAMPLES / "go" / "go.mod").read_text(), re.M
    )
    assert Path(java.split()[1]).read_text() == (EXAMPLES / "java" / "pom.xml").read_text()


def test_addresses_are_those_of_the_environment_else_of_the_system_whose_data_is_here(elsewhere: Path) -> None:
    (elsewhere / ".data").mkdir()
    (elsewhere / ".data" / "env").write_text("export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:7  # started by `streams up`\n")

    assert settings_here({}).kafka.bootstrap_servers == "127.0.0.1:7"
    assert settings_here({"KAFKA_BOOTSTRAP_SERVERS": "h:8"}).kafka.bootstrap_servers == "h:8"


def test_a_secured_cluster_is_named_and_no_password_printed() -> None:
    secret = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "planted"}
    text = program(LANGUAGES["python"], StreamsSettings.from_env(secret), [CALLS])

    assert "SASL_SSL" in text.partition('"""')[0]
    assert "planted" not in text


@pytest.mark.parametrize(
    ("language", "topic", "said"),
    [
        ("perl", "calls", "'perl' is not one of python, python-aiokafka"),
        ("python", "colls", "'colls' is not one of callbacks, quarantine, calls"),
        ("python", "all", "python reads one of callbacks, quarantine, calls"),
        ("python-sqlite", "callbacks", "python-sqlite reads one of calls, answers, call-attempts"),
        ("go", "outcomes-by-workflow", "go reads one of callbacks"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(language: str, topic: str, said: str) -> None:
    code, printed, told = run(language, topic)

    assert (code, printed) == (2, "")
    assert said in told


def test_the_program_is_on_stdout_and_what_to_type_also_on_stderr() -> None:
    code, printed, told = run("python", "airudder.answers.v1")

    assert code == 0
    assert 'os.environ.get("TOPIC", "airudder.answers.v1")' in printed
    assert "pip install 'confluent-kafka[avro]==" in told


def test_the_wheel_has_every_file_of_an_example() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = {path for pattern in settings["package-data"]["schemas"] for path in (ROOT / "schemas").glob(pattern)}
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "schemas/examples"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")

    assert {ROOT / name for name in listed if name and (ROOT / name).is_file()} <= shipped
