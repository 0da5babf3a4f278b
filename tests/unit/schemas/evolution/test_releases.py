"""Released versions are kept for good: a new one is added, an old one never changes, and what is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import schemas.__main__ as commands
from schemas.codec import schema_text
from schemas.evolution.releases import Releases, released_records


def with_field(**field: Any) -> Callable[[str], str]:
    """Every schema as it is, but Call, which has one field more."""

    def candidate(record: str) -> str:
        schema = json.loads(schema_text(record))
        if record == "Call":
            schema["fields"].append({"type": "string", "doc": "New.", **field})
        return json.dumps(schema)

    return candidate


NEW = with_field(name="country", default="")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.avsc")}


def test_the_first_release_keeps_version_1_of_every_output_record(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    assert releases.check() == [
        f"{record}: its schema is not released yet; run `python -m schemas release`" for record in released_records()
    ]

    assert [path.relative_to(tmp_path).as_posix() for path in releases.release()] == [
        f"{record}/v1.avsc" for record in released_records()
    ]
    assert (releases.check(), releases.release()) == ([], [])
    assert releases.versions("Call") == {1: schema_text("Call")}


def test_a_changed_schema_becomes_the_next_version_and_the_first_stays(tmp_path: Path) -> None:
    Releases(tmp_path).release()
    before = contents(tmp_path)
    releases = Releases(tmp_path, NEW)
    assert releases.check() == ["Call: its schema is not released yet; run `python -m schemas release`"]

    (path,) = releases.release()

    assert path == tmp_path / "Call" / "v2.avsc"
    assert contents(tmp_path) == {**before, "Call/v2.avsc": NEW("Call").encode()}
    assert (releases.check(), list(releases.versions("Call"))) == ([], [1, 2])


@pytest.mark.parametrize(("words", "better"), [('"doc": "', '"doc": "Better: '), ('"PHONE"', '"NUMBER"')])
def test_better_words_and_other_tags_are_no_new_version(tmp_path: Path, words: str, better: str) -> None:
    Releases(tmp_path).release()

    releases = Releases(tmp_path, lambda record: schema_text(record).replace(words, better))

    assert (releases.check(), releases.release()) == ([], [])


def test_every_released_version_counts_and_not_only_the_last(tmp_path: Path) -> None:
    Releases(tmp_path, NEW).release()
    Releases(tmp_path, with_field(name="region", default="")).release()  # unchecked, so version 2 lost `country`

    lines = Releases(tmp_path, with_field(name="country", default="-")).refusals()

    assert [line.split(":")[0] for line in lines] == [
        "Call.country, against version 1",
        "Call.region, against version 2",
    ]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (
            lambda path: path.write_text(path.read_text().replace("The call", "A call")),
            "released/Call/v1.avsc: changed; get it back from git: a released schema never changes",
        ),
        (
            lambda path: path.unlink(),
            "released/Call/v1.avsc: missing; get it back from git: a released schema is kept for good",
        ),
        (
            lambda path: path.with_name("v2.avsc").write_text(path.read_text()),
            "released/Call/v2.avsc: not in SHA256SUMS; remove it, and run `python -m schemas release`",
        ),
    ],
)
def test_a_released_file_that_changed_is_named(tmp_path: Path, damage: Callable[[Path], object], line: str) -> None:
    releases = Releases(tmp_path)
    releases.release()

    damage(tmp_path / "Call" / "v1.avsc")

    assert line in releases.check()


# -- the commands


def run(monkeypatch: pytest.MonkeyPatch, releases: Releases, command: str) -> tuple[int, str]:
    monkeypatch.setattr(commands, "Releases", lambda: releases)
    result = CliRunner().invoke(commands.app, [command])
    return result.exit_code, result.output


def test_check_ends_with_1_and_every_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Releases(tmp_path).release()

    code, output = run(monkeypatch, Releases(tmp_path, with_field(name="country")), "check")

    assert (code, output) == (
        1,
        "Call.country, against version 1: it is new and has no default; give it a default\n",
    )


def test_release_keeps_nothing_while_one_schema_may_not_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Releases(tmp_path).release()
    before = contents(tmp_path)

    code, _ = run(monkeypatch, Releases(tmp_path, with_field(name="country")), "release")

    assert (code, contents(tmp_path)) == (1, before)


def test_release_prints_what_it_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Releases(tmp_path).release()

    code, output = run(monkeypatch, Releases(tmp_path, NEW), "release")

    assert (code, output) == (0, f"{tmp_path / 'Call' / 'v2.avsc'}\n")
    assert run(monkeypatch, Releases(tmp_path, NEW), "check") == (0, "every schema is released\n")
