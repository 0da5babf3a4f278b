"""The example records as files: `<Record>.json` has one record of each topic with that record."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.support.example_records.making import Made

FOLDER: Final = Path(__file__).parents[3] / "schemas" / "examples" / "records"


def files_of(made: Iterable[Made]) -> dict[str, str]:
    """The text of every file by its name."""
    by_record: dict[str, dict[str, Any]] = {}
    for one in made:
        by_record.setdefault(one.topic.record, {})[one.topic.name] = one.json
    return {
        f"{record}.json": json.dumps(topics, indent=2, ensure_ascii=False) + "\n"
        for record, topics in by_record.items()
    }


def write(made: Iterable[Made]) -> None:
    """Write the files, and remove those of records that are gone."""
    texts = files_of(made)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
