"""The served OpenAPI document is valid, has every path, and every answer is of the shape that it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own, for one call
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31
from starlette.testclient import TestClient

from schemas.topics import CALLBACKS
from streams.monitor.api.endpoint import Endpoint
from streams.monitor.app import ENDPOINTS
from streams.monitor.openapi.answers import ANSWERS, PAGE
from streams.monitor.openapi.document import INDEX, document
from tests.support.served_monitor import LINES, WORKFLOWS, fill_with_calls, served

Json = dict[str, Any]

# What stands for each name in a path, and the parameters that a path needs.
NAMES = {
    "line": LINES,
    "workflow": tuple(WORKFLOWS),
    "group": ("airudder-streams",),
    "topic": (CALLBACKS.name,),
    "partition": ("0",),
    "offset": ("5",),
}
ASKED = {
    "/api/lag/history": [f"?group=airudder-streams&topic={CALLBACKS.name}"],
    "/api/series": ["", "?name=lag_seconds"],
    "/api/outcomes/workflows": ["", "?window=all", "?limit=1", "?window=15m"],
    "/api/workflows": ["", "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"],
    "/api/workflows/{workflow}": ["", "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"],
}
STREAMED = {"/api/events"}  # they never end
PATHS = sorted({INDEX, *(endpoint.path for endpoint in ENDPOINTS)} - STREAMED)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch, served(patch, fill_with_calls) as client:
        yield client


@pytest.fixture(scope="module")
def told(client: TestClient) -> Json:
    return cast(Json, client.get("/openapi.json").json())


def paths_of(path: str) -> Iterator[str]:
    """The path with each value that stands for a name."""
    found = re.search(r"{(\w+)}", path)
    if found is None:
        yield path
        return
    values = NAMES.get(found[1]) or (LINES if "sip-lines" in path else tuple(WORKFLOWS))
    for value in values:
        yield from paths_of(path.replace(found[0], quote(value, safe=""), 1))


def closed(node: Any) -> Any:
    """The schema with no field allowed but those that it names, so that a field without documentation fails."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: closed(item) for name, item in node.items()}
    return {"additionalProperties": False} | made if isinstance(made.get("properties"), dict) else made


def test_the_document_is_openapi_3_1(told: Json) -> None:
    jsonschema.Draft202012Validator(OPENAPI_31).validate(told)

    assert told["openapi"] == "3.1.0"


def test_the_document_has_every_path_with_its_parameters_and_no_other(told: Json) -> None:
    taken = {endpoint.path: endpoint.parameters for endpoint in ENDPOINTS}

    assert set(told["paths"]) == {*taken, INDEX} == set(ANSWERS)
    for path, names in taken.items():
        operation = told["paths"][path]["get"]
        assert {one["name"] for one in operation["parameters"] if one["in"] == "query"} == names
        assert [one["name"] for one in operation["parameters"] if one["in"] == "path"] == re.findall(r"{(\w+)}", path)
    operations = [path["get"]["operationId"] for path in told["paths"].values()]
    assert len(set(operations)) == len(operations)


def test_a_path_without_documentation_cannot_be_served() -> None:
    with pytest.raises(KeyError):
        document([Endpoint("/api/new", ENDPOINTS[0].serve, "something new")])


def test_it_is_linked_from_the_docs_the_pages_and_the_index(client: TestClient) -> None:
    assert '"/openapi.json"' in client.get("/docs").text
    assert '"/openapi.json"' in client.get("/").text
    assert "/openapi.json" in {one["path"] for one in client.get("/api").json()["endpoints"]}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_of_its_shape(client: TestClient, told: Json, path: str) -> None:
    for url in paths_of(path):
        for query in ASKED.get(path, [""]):
            answer = client.get(url + query)
            media_type = answer.headers["content-type"].partition(";")[0]
            documented = told["paths"][path]["get"]["responses"][str(answer.status_code)]["content"][media_type]
            if media_type == "application/json":
                schema = {**closed(documented["schema"]), "components": closed(told["components"])}
                jsonschema.validate(answer.json(), schema)
            assert answer.status_code == 200 or path == "/readyz", answer.text


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_parameter_is_refused_as_documented(client: TestClient, told: Json, path: str) -> None:
    answer = client.get(next(paths_of(path)) + "?bogus=1")
    responses = told["paths"][path]["get"]["responses"]

    if ANSWERS[path].is_lenient:
        assert (answer.status_code != 400, "400" in responses) == (True, False)
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    assert (answer.status_code, media_type) == (
        400,
        PAGE if ANSWERS[path].media_type == PAGE and path != "/docs" else "application/problem+json",
    )
    if media_type != PAGE:
        schema = {**closed(responses["400"]["content"][media_type]["schema"]), "components": closed(told["components"])}
        jsonschema.validate(answer.json(), schema)
