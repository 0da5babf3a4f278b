"""The page of the topics, rendered on the server from the AsyncAPI document that this build ships."""

from functools import cache

from schemas.documents.files import asyncapi_document
from schemas.documents.reading import header_rows, topic_pages
from streams.monitor.templating import environment


@cache
def render_docs(prefix: str = "") -> str:
    """A complete HTML document, always the same. prefix: AIRUDDER_TOPIC_PREFIX; names have it."""
    document = asyncapi_document()
    return environment.get_template("docs.html").render(
        version=document["asyncapi"],
        info=document["info"],
        promises=document["x-promises"],
        headers=header_rows(document),
        prefix=prefix,
        topics=topic_pages(document, prefix),
    )
