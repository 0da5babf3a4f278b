"""Topics are as declared, or every fault is named before anything starts."""

from __future__ import annotations

import pytest

from schemas.topics import (
    CALLBACKS,
    CO_PARTITIONED,
    QUARANTINE,
    REKEYED_DETAILS,
    TABLES,
    TOPICS,
    WORKFLOW_OUTCOMES,
    changelog_name,
)
from streams.topics.expected import FoundTopic, expected_topics, faults_in

APP = "airudder-streams"
CHANGELOG = changelog_name(APP, "calls")


def as_declared(partitions: int = 12) -> dict[str, FoundTopic]:
    return {topic.name: FoundTopic(partitions, dict(topic.config)) for topic in expected_topics(APP)}


def without(*names: str) -> dict[str, FoundTopic]:
    return {name: topic for name, topic in as_declared().items() if name not in names}


def with_config(topic: str, **config: str) -> dict[str, FoundTopic]:
    found = as_declared()
    changed = {name.replace("_", "."): value for name, value in config.items()}
    return {**found, topic: FoundTopic(12, {**found[topic].config, **changed})}


def with_partitions(partitions: int, *topics: str) -> dict[str, FoundTopic]:
    found = as_declared()
    return {**found, **{topic: FoundTopic(partitions, found[topic].config) for topic in topics}}


@pytest.mark.parametrize(
    ("why", "found"),
    [
        ("as declared", as_declared()),
        ("with other partitions, but the same everywhere", as_declared(partitions=3)),
        ("with a topic of somebody else", {**as_declared(), "other": FoundTopic(1, {})}),
        ("with a retention of the operator's choice", with_config(CALLBACKS.name, retention_ms="1")),
        ("with larger records than we write", with_config(CHANGELOG, max_message_bytes="8388608")),
        ("with fewer partitions where nothing is joined", with_partitions(1, QUARANTINE.name, WORKFLOW_OUTCOMES.name)),
    ],
)
def test_topics_that_keep_our_promises_have_no_fault(why: str, found: dict[str, FoundTopic]) -> None:
    assert faults_in(found, APP) == [], why


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (without(CALLBACKS.name), [CALLBACKS.name, "missing", "topics apply"]),
        (without(CHANGELOG), [CHANGELOG, "missing"]),
        (with_config(CALLBACKS.name, cleanup_policy="compact"), [CALLBACKS.name, "cleanup.policy=compact", "delete"]),
        (with_config(CHANGELOG, cleanup_policy="compact,delete"), [CHANGELOG, "cleanup.policy=compact,delete"]),
        (with_config(WORKFLOW_OUTCOMES.name, cleanup_policy="delete"), [WORKFLOW_OUTCOMES.name, "compact,delete"]),
        (
            with_config(CALLBACKS.name, message_timestamp_type="CreateTime"),
            [CALLBACKS.name, "message.timestamp.type=CreateTime", "LogAppendTime"],
        ),
        (
            with_config(CHANGELOG, max_message_bytes="1048588"),
            [CHANGELOG, "max.message.bytes", "1048588", "4194304", "topics apply"],
        ),
        (with_config(WORKFLOW_OUTCOMES.name, max_message_bytes="1"), [WORKFLOW_OUTCOMES.name, "max.message.bytes"]),
        (with_partitions(3, REKEYED_DETAILS.name), ["same number of partitions", f"{REKEYED_DETAILS.name}: 3"]),
        (with_partitions(3, CHANGELOG), ["same number of partitions", f"{CHANGELOG}: 3"]),
    ],
)
def test_a_fault_names_the_topic_and_what_it_should_be(found: dict[str, FoundTopic], named: list[str]) -> None:
    (fault,) = faults_in(found, APP)

    assert [part for part in named if part not in fault] == []


def test_every_missing_topic_is_named_at_once() -> None:
    faults = faults_in({}, APP)

    assert len(faults) == len(TOPICS) + len(TABLES)
    assert all(any(topic.name in fault for fault in faults) for topic in expected_topics(APP))


def test_a_missing_topic_is_not_also_blamed_for_its_partitions() -> None:
    assert len(faults_in(without(REKEYED_DETAILS.name), APP)) == 1


def test_a_setting_the_broker_does_not_tell_is_a_fault() -> None:
    found = {**as_declared(), CALLBACKS.name: FoundTopic(12, {})}

    assert len(faults_in(found, APP)) == 3


def test_changelogs_belong_to_the_application_and_are_only_compacted() -> None:
    changelogs = [topic for topic in expected_topics("mine") if topic.name not in {topic.name for topic in TOPICS}]

    assert [topic.name for topic in changelogs] == [
        "mine-calls-changelog",
        "mine-workflow-windows-changelog",
        "mine-sip-line-windows-changelog",
    ]
    assert {topic.config["cleanup.policy"] for topic in changelogs} == {"compact"}


def test_all_topics_that_the_worker_reads_are_held_to_one_number_of_partitions() -> None:
    for topic in CO_PARTITIONED:
        assert len(faults_in(with_partitions(5, topic.name), APP)) == 1
