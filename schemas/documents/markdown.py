"""TOPICS.md: the topics of the AsyncAPI document as one page of tables. Pure."""

from collections.abc import Iterable, Iterator

from schemas.documents.fields import Field
from schemas.documents.reading import TopicPage

HEAD = """\
# The topics, field by field

Written by `python -m schemas asyncapi`; do not edit. The monitor's `/docs` and [asyncapi.yaml](asyncapi.yaml) have the
same with headers, promises and an example record of each topic. What all topics share is in the [README](README.md).

Every record has every field. A default is what a reader takes for a field that the record's version of the schema does
not have. `personal` marks what holds phone numbers or what was said.
"""


def topics_markdown(pages: Iterable[TopicPage]) -> str:
    """The whole page."""
    shown: dict[str, str] = {}
    parts = [HEAD]
    for page in pages:
        parts.append("\n".join(_section(page, shown.get(page.record))) + "\n")
        shown.setdefault(page.record, page.name)
    return "\n".join(parts)


def _section(page: TopicPage, shown_at: str | None) -> Iterator[str]:
    facts = page.facts
    kept = f"{facts['retention']} ({facts['cleanup']})"
    yield f"## {page.name}"
    yield ""
    yield f"`{page.topic}`, key: {_cell(page.key)}. {page.doc}"
    yield ""
    yield f"Kept {kept}, in {page.partitions} partitions; {facts['owner']} writes it."
    yield ""
    if shown_at:
        yield f"The fields of `{page.record}` are those of [{shown_at}](#{shown_at})."
        return
    yield "| field | type | default | meaning | personal |"
    yield "|---|---|---|---|---|"
    for field in page.fields:
        yield _row(field)


def _row(field: Field) -> str:
    default = f"`{field.default}`" if field.default else "-"
    return f"| `{field.path}` | {field.type} | {default} | {_cell(field.doc)} | {field.personal or '-'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
