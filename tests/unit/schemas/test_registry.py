"""Whatever answers in the registry's place: a clear error that tells whether it can pass, never a wrong id."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.connection import RegistryConnection
from schemas.errors import (
    DecodeError,
    MissingSchemaError,
    RegistryError,
    RegistryReplacedError,
    RegistryUnavailableError,
    UnknownSchemaError,
)
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.registry_client import MAX_ANSWER_BYTES
from schemas.registry_faults import answer_in_words
from schemas.runtime.registry_metrics import RegistryMetrics
from schemas.topics import CALLBACKS, CALLS, DEAD_LETTERS, QUARANTINE, TOPICS
from tests.support.records import callback, detail

Answer = Callable[[httpx2.Request], httpx2.Response]
CALLBACK = callback(detail())
NO_SUBJECT, NO_SCHEMA = {"error_code": 40401, "message": "no subject"}, {"error_code": 40403, "message": "no schema"}

NONSENSE: dict[str, Answer] = {
    "a page": lambda _: httpx2.Response(200, text="<html>starting</html>"),
    "a list": lambda _: httpx2.Response(200, json=[]),
    "cut JSON": lambda _: httpx2.Response(200, text='{"id": 1'),
    "nothing": lambda _: httpx2.Response(200),
    "a number": lambda _: httpx2.Response(200, json=7),
    "another object": lambda _: httpx2.Response(200, json={"x": 1}),
    "an id as text": lambda _: httpx2.Response(200, json={"id": "7", "subject": "s", "version": 1, "schema": "{}"}),
    "a negative id": lambda _: httpx2.Response(200, json={"id": -1, "subject": "s", "version": 1, "schema": "{}"}),
    "an id that is true": lambda _: httpx2.Response(200, json={"id": True, "subject": "s", "version": 1}),
    "an id over 32 bits": lambda _: httpx2.Response(200, json={"id": 2**32, "subject": "s", "version": 1}),
    "a schema that is null": lambda _: httpx2.Response(200, json={"id": None, "schema": None}),
    "bytes that are no text": lambda _: httpx2.Response(200, content=b"\xff\xfe\x00"),
    "204": lambda _: httpx2.Response(204),
    "a redirect": lambda _: httpx2.Response(302, headers={"location": "http://127.0.0.1:1/login"}),
    "a page that is not there": lambda _: httpx2.Response(404, text="<html>404</html>"),
    "a 404 of something else": lambda _: httpx2.Response(404, json={"error_code": 404, "message": "HTTP 404"}),
    "502": lambda _: httpx2.Response(502, text="bad gateway"),
    "too many requests": lambda _: httpx2.Response(429, json={"error_code": 429}),
    "an error that is a list": lambda _: httpx2.Response(500, json=["oh"]),
    "too much": lambda _: httpx2.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1)),
}


class Stub:
    """A registry over HTTP as the client sees it; `answer` may be put in its place."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[tuple[int, Any]]] = {}
        self.rules: dict[str, str] = {}
        self.refused: set[str] = set()
        self.incompatible: set[int] = set()
        self.asked: list[tuple[str, str]] = []
        self.answer: Answer | None = None
        self.next_id = 1

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.strip("/").split("/")
        self.asked.append((request.method, "/".join(path)))
        if self.answer is not None:
            return self.answer(request)
        body = json.loads(request.content) if request.content else {}
        if path[0] == "config":
            self.rules[path[1]] = body["compatibility"]
            return httpx2.Response(200, json=body)
        if path[0] == "schemas":
            texts = {number: text for versions in self.subjects.values() for number, text in versions}
            return self._found(texts.get(int(path[2])), lambda text: {"schema": text}, NO_SCHEMA)
        if path[0] == "compatibility":
            return httpx2.Response(200, json={"is_compatible": int(path[-1]) not in self.incompatible})
        if request.method == "GET" and path[-1] != "versions":
            number, text = self.subjects[path[1]][int(path[-1]) - 1]
            return httpx2.Response(200, json={"id": number, "version": int(path[-1]), "schema": text})
        if request.method == "GET":
            return httpx2.Response(200, json=list(range(1, len(self.subjects[path[1]]) + 1)))
        return self._subject(path[1], path[2:], request.method, body)

    def _subject(self, subject: str, rest: list[str], method: str, body: dict[str, Any]) -> httpx2.Response:
        versions = self.subjects.get(subject)
        if rest and method == "POST":
            if subject in self.refused:
                return httpx2.Response(409, json={"error_code": 409, "message": "java.lang.Incompatible: /fields/3"})
            self.subjects.setdefault(subject, []).append((self.next_id, body["schema"]))
            self.next_id += 1
            return httpx2.Response(200, json={"id": self.next_id - 1})
        if versions is None:
            return httpx2.Response(404, json=NO_SUBJECT)
        found = [(number, place) for place, (number, text) in enumerate(versions, 1) if text == body["schema"]]
        return self._found(
            found[0] if found else None,
            lambda ours: {"subject": subject, "id": ours[0], "version": ours[1], "schema": body["schema"]},
            NO_SCHEMA,
        )

    @staticmethod
    def _found(value: Any, shown: Callable[[Any], Any], otherwise: Any) -> httpx2.Response:
        return httpx2.Response(404, json=otherwise) if value is None else httpx2.Response(200, json=shown(value))


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
async def registry(stub: Stub) -> AsyncIterator[Registry]:
    registry = Registry("http://127.0.0.1:1")
    rest = registry._client.api._rest_client
    await rest.session.aclose()
    rest.max_retries = 0
    rest.session = httpx2.AsyncClient(transport=httpx2.MockTransport(stub), event_hooks=rest.session.event_hooks)
    yield registry
    await registry.aclose()


def replaced(stub: Stub, first_id: int) -> None:
    """The registry comes back with other ids."""
    stub.subjects.clear()
    stub.next_id = first_id


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_an_answer_that_is_no_registrys_can_pass_and_gives_no_id(
    stub: Stub, registry: Registry, answer: Answer
) -> None:
    stub.answer = answer
    for ask in (registry.look_up([CALLBACKS]), registry.register([CALLBACKS])):
        with pytest.raises(RegistryUnavailableError):
            await ask
    assert not registry.has(CALLBACKS)

    stub.answer = None
    await registry.register([CALLBACKS])
    assert registry.encode(CALLBACKS, CALLBACK)[:5] == b"\0\0\0\0\1"


NO_SCHEMA_IN_IT = {name: answer for name, answer in NONSENSE.items() if "id" not in name.split()}


@pytest.mark.parametrize("answer", NO_SCHEMA_IN_IT.values(), ids=NO_SCHEMA_IN_IT)
async def test_no_record_is_given_up_for_an_answer_that_is_no_registrys(
    stub: Stub, registry: Registry, answer: Answer
) -> None:
    await registry.register([CALLBACKS])
    data = registry.encode(CALLBACKS, CALLBACK)
    registry._writers.clear()
    stub.answer = answer
    with pytest.raises(RegistryUnavailableError):
        await registry.decode(data, Callback)

    stub.answer = None
    assert await registry.decode(data, Callback) == CALLBACK


@pytest.mark.parametrize("status", [401, 403])
async def test_a_registry_that_lets_nobody_in_gives_up_no_record_and_is_reported_at_the_start(
    stub: Stub, registry: Registry, status: int
) -> None:
    stub.answer = lambda _: httpx2.Response(status, json={"error_code": status, "message": "no"})
    with pytest.raises(RegistryUnavailableError, match=str(status)):
        await registry.decode(codec.encode(9, CALLBACK), Callback)
    with pytest.raises(RegistryError, match=str(status)) as refusal:
        await registry.look_up([CALLBACKS])
    assert not isinstance(refusal.value, DecodeError)


async def test_only_the_registrys_own_word_that_an_id_is_unknown_is_final(registry: Registry) -> None:
    with pytest.raises(UnknownSchemaError):
        await registry.decode(codec.encode(9, CALLBACK), Callback)


async def test_schemas_are_registered_in_the_tables_order_each_after_its_rule(stub: Stub, registry: Registry) -> None:
    await registry.register(TOPICS)

    expected: list[tuple[str, str]] = []
    for topic in TOPICS:
        expected += [("PUT", f"config/{topic.subject}")] if topic.is_output else []
        expected.append(("POST", f"subjects/{topic.subject}/versions"))
    assert stub.asked == expected
    assert set(stub.rules.values()) == {"FULL_TRANSITIVE"}


async def test_a_role_that_looks_ids_up_writes_nothing(stub: Stub, registry: Registry) -> None:
    with pytest.raises(MissingSchemaError, match=r"airudder\.calls\.v1-value.*topics apply"):
        await registry.look_up([CALLBACKS, CALLS])

    assert {path for _, path in stub.asked} == {f"subjects/{topic.subject}" for topic in (CALLBACKS, CALLS)}
    assert (stub.subjects, stub.rules) == ({}, {})


async def test_one_schema_that_is_refused_or_missing_does_not_stop_the_others(stub: Stub, registry: Registry) -> None:
    stub.refused, stub.subjects = {QUARANTINE.subject}, {QUARANTINE.subject: [(7, '"string"')]}
    with pytest.raises(RegistryError, match=r"airudder\.quarantine\.v1-value.*\n.*topics apply"):
        await registry.register([QUARANTINE, CALLBACKS])
    assert (registry.has(CALLBACKS), registry.has(QUARANTINE)) == (True, False)

    with pytest.raises(MissingSchemaError):
        await registry.look_up([DEAD_LETTERS, CALLBACKS])
    assert registry.encode(CALLBACKS, CALLBACK)
    with pytest.raises(MissingSchemaError):
        registry.encode(QUARANTINE, CALLBACK)


async def test_an_id_that_still_holds_is_asked_for_and_kept(registry: Registry) -> None:
    await registry.register([CALLBACKS])
    await registry.check(CALLBACKS)

    assert registry.has(CALLBACKS)


@pytest.mark.parametrize("comes_back", ["empty", "with other ids"])
async def test_a_registry_that_was_replaced_is_named_and_nothing_is_written_under_its_old_ids(
    stub: Stub, registry: Registry, comes_back: str
) -> None:
    await registry.register([CALLBACKS, CALLS])
    replaced(stub, 40)
    if comes_back == "with other ids":
        stub.subjects[CALLBACKS.subject] = [(41, codec.schema_text("Callback"))]
    with pytest.raises(RegistryReplacedError, match=r"had id 1 and now has (none|41)\..*topics apply"):
        await registry.check(CALLBACKS)

    assert (registry.has(CALLBACKS), registry.has(CALLS)) == (False, False)


async def test_a_registry_that_is_away_changes_no_id(stub: Stub, registry: Registry) -> None:
    await registry.register([CALLBACKS])
    stub.answer = NONSENSE["502"]
    with pytest.raises(RegistryUnavailableError):
        await registry.check(CALLBACKS)

    assert registry.has(CALLBACKS)


AT = RegistryConnection(url="http://hunter2:secret@r:8081/x")


@pytest.mark.parametrize(
    ("status", "connection", "words"),
    [
        (404, AT, ("no such path at the registry", "is SCHEMA_REGISTRY_URL right?", "http://(set)@r:8081/x")),
        (401, AT, ("authentication failed for user hunter2", "SCHEMA_REGISTRY_PASSWORD")),
        (401, RegistryConnection(url="http://r"), ("it asks for a user", "set SCHEMA_REGISTRY_USERNAME")),
        (403, AT, ("user hunter2 may not do this",)),
        (503, AT, ("503 has trouble",)),
    ],
)
def test_an_answer_that_is_none_to_our_question_names_the_setting(
    status: int, connection: RegistryConnection, words: tuple[str, ...]
) -> None:
    said = answer_in_words(status, "has trouble", connection)

    assert [word for word in words if word not in said] == [], said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", ("nobody listens there", "http://127.0.0.1:1", "SCHEMA_REGISTRY_URL")),
        ("http://no.invalid", ("name is unknown", "SCHEMA_REGISTRY_URL")),
    ],
)
async def test_a_registry_that_is_not_there_is_reported_with_its_url(url: str, words: tuple[str, ...]) -> None:
    registry = Registry(url)
    with pytest.raises(RegistryUnavailableError) as raised:
        await registry.look_up([CALLBACKS])
    await registry.aclose()

    assert [word for word in words if word not in str(raised.value)] == [], str(raised.value)


async def test_a_foreign_version_is_named_and_a_compatible_one_is_not(stub: Stub, registry: Registry) -> None:
    await registry.register([CALLBACKS])
    stub.subjects[CALLBACKS.subject] += [(8, "a newer release's"), (9, "somebody else's")]
    stub.incompatible = {3}

    [fault] = await registry.foreign_versions(CALLBACKS)
    assert fault.startswith(f"subject {CALLBACKS.subject} has a foreign schema, version 3, that ours (version 1)")


async def test_each_request_is_counted_by_what_became_of_it(stub: Stub, registry: Registry) -> None:
    metrics = CollectorRegistry()
    RegistryMetrics(metrics).watch(registry)
    await registry.register([CALLBACKS])
    await registry.look_up([CALLBACKS])
    with pytest.raises(MissingSchemaError):
        await registry.look_up([CALLS])
    with pytest.raises(UnknownSchemaError):
        await registry.schema(999)
    stub.answer = NONSENSE["502"]
    with pytest.raises(RegistryUnavailableError):
        await registry.schema(1)

    def counted(operation: str, outcome: str) -> float | None:
        labels = {"operation": operation, "outcome": outcome}
        return metrics.get_sample_value("schema_registry_requests_total", labels)

    assert counted("other", "ok") == len([asked for asked in stub.asked if asked[0] in ("PUT", "POST")]) - 1
    assert (counted("lookup_schema", "not_found"), counted("get_schema", "not_found")) == (1, 1)
    assert counted("get_schema", "unavailable") == 1
    assert metrics.get_sample_value("schema_cache_entries") == 1
