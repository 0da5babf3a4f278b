"""What a worker was started on is asked for again, and it does not go on when it is so no more."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata

from schemas.errors import RegistryReplacedError, RegistryUnavailableError
from schemas.topics import CALLBACKS, CO_PARTITIONED
from streams.errors import DataDirInUseError, SchemasError, TopicsError
from streams.settings import KafkaSettings
from streams.topics.expected import placed_by_count
from streams.worker import premises
from streams.worker.identity import Identity, identity_of
from streams.worker.premises import Premises, check_name, check_state, commit_note

APP = "app"
COUNTS = dict.fromkeys(placed_by_count(APP), 3)
ME = Identity("app-1234", "here")


class Kafka:
    """An admin client's view, which a test may change."""

    def __init__(self) -> None:
        self.counts = dict(COUNTS)
        self.committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self.troubles = [KafkaConnectionError(), TimeoutError()]
        self.looks = 0
        self.members = [ME.client_id, "app-5678-here", "somebody-elses"]

    async def describe_topics(self) -> list[Any]:
        self.looks += 1
        if self.looks > 1 and self.troubles:
            raise self.troubles.pop()
        if self.looks > 6:
            self.counts[CALLBACKS.name] = 5
        return [{"topic": name, "partitions": [None] * count} for name, count in self.counts.items()]

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        members = [{"client_id": client_id, "client_host": "/10.0.0.7"} for client_id in self.members]
        return [SimpleNamespace(to_object=lambda: {"groups": [{"members": members}]})]

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
        return self.committed


class FakeRegistry:
    def __init__(self) -> None:
        self.answers: list[Exception | None] = [None, RegistryUnavailableError("away")] * 2
        self.asked: list[str] = []

    async def check(self, topic: Any) -> None:
        self.asked.append(topic.name)
        if self.answers and (error := self.answers.pop()):
            raise error


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    kafka = Kafka()

    @asynccontextmanager
    async def admin_client(settings: object) -> AsyncIterator[Kafka]:
        yield kafka

    monkeypatch.setattr(premises, "admin_client", admin_client)
    monkeypatch.setattr(premises, "CHECK_INTERVAL_S", 0)
    return kafka


async def test_a_topic_that_grows_ends_the_watch_naming_it_and_the_way_out_and_trouble_does_not(kafka: Kafka) -> None:
    registry: Any = FakeRegistry()
    with pytest.raises(TopicsError, match=rf"{CALLBACKS.name}: 3, now 5.*new set of topics"):
        await Premises(KafkaSettings(), APP, COUNTS, registry, ME).watch()

    assert (kafka.looks, kafka.troubles) == (7, [])
    assert len(set(registry.asked)) > 3


async def test_a_registry_that_was_replaced_ends_the_watch(kafka: Kafka) -> None:
    registry: Any = FakeRegistry()
    registry.answers = [RegistryReplacedError("it came back empty"), None]
    with pytest.raises(SchemasError, match="empty"):
        await Premises(KafkaSettings(), APP, COUNTS, registry, ME).watch()


@pytest.mark.parametrize("topic", CO_PARTITIONED, ids=lambda topic: topic.name)
async def test_state_that_was_made_with_another_number_of_partitions_is_refused_before_anything_is_read(
    kafka: Kafka, topic: Any
) -> None:
    kafka.committed[TopicPartition(topic.name, 0)] = OffsetAndMetadata(9, commit_note(3))
    await check_state(KafkaSettings(), APP, COUNTS)

    with pytest.raises(
        TopicsError, match=r"have 5 partitions each, and its state was made with 3: .*new set"
    ) as refused:
        await check_state(KafkaSettings(), APP, dict.fromkeys(COUNTS, 5))
    assert refused.value.exit_code == 69


async def test_offsets_without_a_note_as_older_workers_commit_them_are_no_fault(kafka: Kafka) -> None:
    kafka.committed[TopicPartition(CALLBACKS.name, 0)] = OffsetAndMetadata(9, "")

    await check_state(KafkaSettings(), APP, COUNTS)


async def test_a_member_of_the_same_name_elsewhere_is_a_copy_and_named_with_its_host(kafka: Kafka) -> None:
    await check_name(KafkaSettings(), APP, ME)
    kafka.members[0] = "app-1234-elsewhere"
    registry: Any = FakeRegistry()

    for ask in (check_name(KafkaSettings(), APP, ME), Premises(KafkaSettings(), APP, COUNTS, registry, ME).watch()):
        with pytest.raises(DataDirInUseError, match=r"on 10\.0\.0\.7 .*is a copy"):
            await ask


def test_a_copy_of_the_data_has_the_name_and_another_place(tmp_path: Path) -> None:
    original = identity_of(APP, tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copy = identity_of(APP, tmp_path / "copy")

    assert original == identity_of(APP, tmp_path / "data")
    assert (copy.name, copy.place != original.place) == (original.name, True)
    assert identity_of(APP, tmp_path / "new").name != original.name


def test_a_name_that_was_never_written_to_its_end_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "instance-id").write_text("")

    assert len(identity_of(APP, tmp_path).name) > len(f"{APP}-")


async def test_a_group_that_has_read_topics_under_another_prefix_is_refused(kafka: Kafka) -> None:
    kafka.committed[TopicPartition("staging." + CALLBACKS.name, 0)] = OffsetAndMetadata(9, commit_note(3))

    with pytest.raises(TopicsError, match=r"group app has read staging\.airudder.*give this one another"):
        await check_state(KafkaSettings(), APP, COUNTS)

    staging = KafkaSettings(topic_prefix="staging.")
    await check_state(staging, APP, dict.fromkeys(placed_by_count(APP, staging.names), 3))
