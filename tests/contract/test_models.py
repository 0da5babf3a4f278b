"""The typed models for Python hold what readers decode, also of a schema older or newer than they are."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

import schemas.__main__ as command
from schemas.documents.files import stale
from schemas.documents.models.files import PYTHON, TYPESCRIPT, models
from schemas.models.python import airudder_records
from tests.support.models import EXAMPLES, PUBLIC, bare, decoded, earlier, later, schema_of
from tests.support.readmes import ROOT

every_record = pytest.mark.parametrize("name", PUBLIC)


def model_of(name: str) -> Any:
    return getattr(airudder_records, name)


def test_no_model_is_stale() -> None:
    assert stale(ROOT / "schemas", models()) == []


@pytest.mark.parametrize("name", [PYTHON, TYPESCRIPT])
def test_a_stale_model_is_told_with_the_remedy_and_written_again(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    runner = CliRunner()
    runner.invoke(command.app, ["models"])
    (tmp_path / name).write_text("other", encoding="utf-8")

    checked = runner.invoke(command.app, ["models", "--check"])
    assert (checked.exit_code, checked.stderr) == (1, f"schemas/{name}: is stale: run python -m schemas models\n")
    assert runner.invoke(command.app, ["models"]).stdout == f"schemas/{name}: written\n"
    assert runner.invoke(command.app, ["models", "--check"]).exit_code == 0


@every_record
def test_a_model_holds_every_field_as_it_was_decoded_and_of_the_type_it_declares(name: str) -> None:
    record, model = decoded(EXAMPLES[name], schema_of(name)), model_of(name)

    assert dataclasses.asdict(model.of(record)) == record
    assert msgspec.convert(record, model, strict=True) == model.of(record)


@every_record
def test_an_old_model_reads_a_newer_record_without_what_it_does_not_know(name: str) -> None:
    newer = decoded(EXAMPLES[name], later(schema_of(name)))

    assert "added_later" in newer
    assert model_of(name).of(newer) == model_of(name).of(decoded(EXAMPLES[name], schema_of(name)))


@every_record
def test_a_new_model_reads_an_older_record_with_the_defaults_of_what_it_lacks(name: str) -> None:
    older = decoded(EXAMPLES[name], earlier(schema_of(name)))

    assert dataclasses.asdict(model_of(name).of(older)) == decoded(bare(name), schema_of(name))


@every_record
def test_a_record_without_a_field_that_has_no_default_is_refused(name: str) -> None:
    record = decoded(EXAMPLES[name], earlier(schema_of(name)))
    lost = next(iter(record))
    del record[lost]

    with pytest.raises(TypeError, match=lost):
        model_of(name).of(record)
