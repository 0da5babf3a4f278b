"""What the registry does to the gateway: each topic by itself, never for ever, and nothing of it reaches a sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from gateway.errors import PublishError
from gateway.publishing import schema_ids
from gateway.publishing.schema_ids import SchemaIds
from schemas.connection import RegistryConnection
from schemas.errors import MissingSchemaError, RegistryReplacedError, RegistryUnavailableError
from schemas.registry import Registry
from schemas.topics import CALLBACKS, QUARANTINE, Topic
from tests.support.records import QUARANTINED, callback, detail
from tests.support.waiting import PATIENCE_S, wait_until

INTERNALS = "io.apicurio.rest.Conflict: [difference at /fields/34]"


class FakeRegistry(Registry):
    """Says of each topic what it is told to."""

    def __init__(self) -> None:
        self.missing = {CALLBACKS, QUARANTINE}
        self.error: Exception | None = RegistryUnavailableError(INTERNALS)
        self.checked: list[Topic] = []
        self._ids: dict[str, int] = {}

    async def look_up(self, topics: object) -> None:
        if self.error:
            raise self.error
        self._ids = {topic.name: 7 for topic in (CALLBACKS, QUARANTINE) if topic not in self.missing}
        if self.missing:
            raise MissingSchemaError(INTERNALS)

    async def check(self, topic: Topic) -> None:
        self.checked.append(topic)
        if isinstance(self.error, RegistryReplacedError):
            self._ids.clear()
        if self.error:
            raise self.error

    async def aclose(self) -> None:
        pass


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
async def ids(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SchemaIds]:
    monkeypatch.setattr(schema_ids, "RETRY_INTERVAL_S", 0)
    monkeypatch.setattr(schema_ids, "CHECK_INTERVAL_S", 0)
    monkeypatch.setattr(schema_ids, "Registry", lambda connection: registry)
    ids = SchemaIds(RegistryConnection(), [CALLBACKS, QUARANTINE])
    keeping = asyncio.create_task(ids.keep())
    yield ids
    assert not keeping.done(), "it is there for as long as the process"
    keeping.cancel()


async def all_known(ids: SchemaIds, registry: FakeRegistry) -> None:
    registry.error, registry.missing = None, set()
    await wait_until(lambda: not ids.fault() and not ids.note(), PATIENCE_S, "every id to be known")


@pytest.mark.parametrize("error", [RegistryUnavailableError("x"), MissingSchemaError("x"), ValueError("x")])
async def test_whatever_goes_wrong_it_asks_again(ids: SchemaIds, registry: FakeRegistry, error: Exception) -> None:
    with structlog.testing.capture_logs() as logs:
        registry.error = error
        await wait_until(lambda: logs, PATIENCE_S, "a line in the log")
        assert ids.fault()
    await all_known(ids, registry)

    assert ids.encode(CALLBACKS, callback(detail()))[:5] == b"\0\0\0\0\7"


async def test_a_schema_that_one_topic_lacks_is_reported_and_does_not_stop_the_others(
    ids: SchemaIds, registry: FakeRegistry
) -> None:
    registry.error, registry.missing = None, {QUARANTINE}
    await wait_until(lambda: not ids.fault(), PATIENCE_S, "callbacks to be encoded")

    assert ids.note() == INTERNALS
    assert ids.encode(CALLBACKS, callback(detail()))
    with pytest.raises(PublishError) as refused:
        ids.encode(QUARANTINE, QUARANTINED)
    assert INTERNALS not in str(refused.value)


async def test_ids_that_are_known_are_asked_for_in_turn_and_outlive_a_registry_that_is_away(
    ids: SchemaIds, registry: FakeRegistry
) -> None:
    await all_known(ids, registry)
    registry.error = RegistryUnavailableError("away")
    registry.checked.clear()
    await wait_until(lambda: len(registry.checked) > 3, PATIENCE_S, "some questions")

    assert set(registry.checked) == {CALLBACKS, QUARANTINE}
    assert (ids.fault(), ids.note()) == ("", "")


async def test_after_the_registry_was_replaced_nothing_is_encoded_until_the_ids_are_known_again(
    ids: SchemaIds, registry: FakeRegistry
) -> None:
    await all_known(ids, registry)
    registry.error, registry.missing = RegistryReplacedError("it was replaced"), {CALLBACKS, QUARANTINE}
    await wait_until(lambda: ids.fault() == "it was replaced", PATIENCE_S, "the fault")
    with pytest.raises(PublishError):
        ids.encode(CALLBACKS, callback(detail()))

    await all_known(ids, registry)
    assert ids.encode(CALLBACKS, callback(detail()))
