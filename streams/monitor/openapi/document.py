"""The monitor's port as an OpenAPI 3.1 document, made from the list of endpoints and the shapes of their answers."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, refuse_parameters
from streams.monitor.openapi.answers import ANSWERS, PAGE, PARAMETERS, Answer
from streams.monitor.openapi.process_shapes import Problem

INDEX: Final = "/api"
_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
_PAGE: Final = {PAGE: {"schema": {"type": "string"}}}
_RETRY_AFTER: Final = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
_IN_PATH: Final = re.compile(r"{(\w+)}")
_OTHER_FORMS: Final = {"/metrics": "application/openmetrics-text"}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document. Raises: KeyError for a path that `answers.py` does not have."""
    shapes = list(dict.fromkeys(shape for answer in ANSWERS.values() for shape in answer.shapes))
    references, components = msgspec.json.schema_components([*shapes, Problem], ref_template=_REF)
    schemas = dict(zip(shapes, references, strict=False))
    listed = [*endpoints, Endpoint(INDEX, _unserved, "every path with its parameters")]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AiRudder streams: the monitor",
            "version": "1",
            "description": "Lag, windows of calls, lines and workflows. It only reads. Fields and words may be new: "
            "ignore what you do not know.",
        },
        "paths": {endpoint.path: {"get": _operation(endpoint, schemas)} for endpoint in listed},
        "components": {"schemas": components},
    }


def endpoint_of(endpoints: Sequence[Endpoint]) -> Endpoint:
    """`/openapi.json`, which documents these endpoints and itself."""
    endpoint = Endpoint("/openapi.json", _unserved, "this API as an OpenAPI document")
    body = document([*endpoints, endpoint])

    async def openapi(request: Request) -> Response:
        refuse_parameters(request)
        return json_answer(body)

    return Endpoint(endpoint.path, openapi, endpoint.answers)


async def _unserved(_: Request) -> Response:
    """Stands in a list that is only documented."""
    raise NotImplementedError


def _operation(endpoint: Endpoint, schemas: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    answer, in_path = ANSWERS[endpoint.path], _IN_PATH.findall(endpoint.path)
    return {
        "operationId": "_".join(["get", *re.findall(r"\w+", endpoint.path)]),
        "summary": endpoint.answers,
        "parameters": [*map(_in_path, in_path), *map(_in_query, sorted(endpoint.parameters))],
        "responses": {
            "200": {"description": "The answer", "content": dict(_content(endpoint.path, answer, schemas))},
            **dict(_refusals(answer, bool(in_path), schemas)),
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str) -> dict[str, Any]:
    description, schema = PARAMETERS[name]
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _content(
    path: str, answer: Answer, schemas: dict[type[Any], dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    found = [schemas[shape] for shape in answer.shapes]
    if answer.media_type == "application/json":
        yield answer.media_type, {"schema": found[0] if len(found) == 1 else {"anyOf": found} if found else {}}
        return
    for media_type in (answer.media_type, *([_OTHER_FORMS[path]] if path in _OTHER_FORMS else [])):
        yield media_type, {"schema": {"type": "string"} if media_type.startswith("text/") else {}}


def _refusals(
    answer: Answer, has_names: bool, schemas: dict[type[Any], dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Errors of a page are pages, but for too many requests and unknown methods."""
    body = {**_PAGE, **_PROBLEM} if answer.media_type == PAGE else _PROBLEM
    if not answer.is_lenient:
        yield "400", {"description": "A parameter that is unknown, comes twice, or is wrong", "content": body}
    if has_names:
        yield "403", {"description": "Hidden where other machines reach the monitor", "content": body}
        yield "404", {"description": "What the path names is not known", "content": body}
    yield "405", {"description": "Another method than GET", "content": _PROBLEM}
    if answer.is_ready_or_not:
        content = {**_PROBLEM, "application/json": {"schema": schemas[answer.shapes[0]]}}
        yield "503", {"description": "Not ready, or too many requests", "content": content}
        return
    yield "503", {"description": "Not known yet, or too many requests", "content": body, "headers": _RETRY_AFTER}
