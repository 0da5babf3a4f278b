"""The generated documents as files of this package: written by `python -m schemas asyncapi`, held to the code by it."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from schemas.documents.asyncapi import document
from schemas.documents.markdown import topics_markdown
from schemas.documents.reading import topic_pages

ASYNCAPI: Final = "asyncapi.yaml"
TOPICS: Final = "TOPICS.md"


def documents() -> dict[str, str]:
    """The text of every document by its name, as the code of today gives it."""
    described = document()
    return {ASYNCAPI: _yaml(described), TOPICS: topics_markdown(topic_pages(described))}


def stale(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """The files of a folder, by name, that are missing or differ from the texts."""
    return [name for name, text in texts.items() if not _is(folder / name, text)]


def write(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write the files that are stale; their names. Repeat: safe."""
    names = stale(folder, texts)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], encoding="utf-8")
    return names


@cache
def asyncapi_text() -> str:
    """The AsyncAPI document as this build ships it."""
    return files("schemas").joinpath(ASYNCAPI).read_text(encoding="utf-8")


@cache
def asyncapi_document() -> dict[str, Any]:
    """The same, read. Callers do not change it."""
    read: dict[str, Any] = yaml.load(asyncapi_text(), Loader=yaml.CSafeLoader)
    return read


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """Equal parts are written out each time, not as references."""
        return True


def _yaml(value: object) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# Written by `python -m schemas asyncapi`; do not edit.\n{text}"
