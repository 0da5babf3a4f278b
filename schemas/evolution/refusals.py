"""Why a registry refuses our schema, in the words of the check, from the versions that its subject has. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.codec import schema_text
from schemas.evolution.compatibility import faults_between, shape
from schemas.evolution.releases import Releases
from schemas.evolution.soundness import faults_of


def refusal_in_words(subject: str, record: str, versions: Mapping[int, str], apply: str) -> str:
    """The refusal, a line for each cause. versions: the JSON text of each version there; apply: what to run then.

    A version in the way is ours when it is a released one: it stays, and our schema must change. Any other is foreign.
    """
    lines = [line for number, text in versions.items() for line in _lines(record, number, text, apply)]
    if not lines:
        lines = ["no version there explains it: compare the rule of the subject with FULL_TRANSITIVE"]
    return "\n".join([f"subject {subject} refuses this release's {record}:", *(f"  {line}" for line in lines)])


def _lines(record: str, number: int, text: str, apply: str) -> Iterator[str]:
    there = _parsed(text)
    faults = [] if there is None else faults_between(there, json.loads(schema_text(record)))
    if there is not None and (not faults or shape(there) in _released(record)):
        yield from (fault.line(record, f"version {number}") for fault in faults)
        return
    why = f" ({faults[0].fact(record)})" if faults else ""
    yield f"version {number} there is foreign, and in the way{why}; delete that version, and {apply}"


def _parsed(text: str) -> Any:
    """A sound schema; None for anything else."""
    try:
        schema = json.loads(text)
    except ValueError:
        return None
    return None if faults_of(schema) else schema


def _released(record: str) -> list[Any]:
    return [shape(json.loads(text)) for text in Releases().versions(record).values()]
