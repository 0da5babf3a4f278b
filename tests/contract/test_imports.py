"""Who may import whom: the contracts of pyproject.toml hold."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

CONFIG = Path(__file__).parents[2] / "pyproject.toml"


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(CONFIG.parent)

    status = lint_imports(config_filename=str(CONFIG), no_cache=True)

    assert status == 0, capsys.readouterr().out
