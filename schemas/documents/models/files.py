"""The typed models of every public record, as files of this package: written by `python -m schemas models`."""

import json
from typing import Final

from schemas import codec
from schemas.documents.models.python import python_module
from schemas.documents.models.shapes import shapes
from schemas.documents.models.typescript import typescript_module
from schemas.topics import OUTPUTS

PYTHON: Final = "models/python/airudder_records.py"
TYPESCRIPT: Final = "models/typescript/airudder_records.ts"


def models() -> dict[str, str]:
    """The text of each module by its path in this package, as the schemas of today give it."""
    names = dict.fromkeys(topic.record for topic in OUTPUTS)
    found = shapes(json.loads(codec.schema_text(name)) for name in names)
    return {PYTHON: python_module(found), TYPESCRIPT: typescript_module(found)}
