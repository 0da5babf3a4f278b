"""The page of the topics, rendered on the server from the AsyncAPI document that this build ships."""

from functools import cache

from schemas.documents.files import asyncapi_document
from schemas.documents.reading import header_rows, topic_pages
from streams.monitor.templating import environment


@cache
def render_docs() -> str:
    """A complete HTML document; the same for as long as the process lives."""
    document = asyncapi_document()
    return environment.get_template("docs.html").render(
        version=document["asyncapi"],
        info=document["info"],
        promises=document["x-promises"],
        headers=header_rows(document),
        topics=topic_pages(document),
    )
