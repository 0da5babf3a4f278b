"""Declared and real names: a prefix goes before every one of them, and no set takes another's names for its own."""

from __future__ import annotations

import pytest

from schemas.connection import KafkaConnection, RegistryConnection
from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CALLBACKS, CALLS, TOPICS

STAGING = TopicNames("staging.")


def test_a_prefix_goes_before_topics_subjects_and_groups() -> None:
    assert STAGING.of(CALLS) == "staging.airudder.calls.v1"
    assert STAGING.subject_of(CALLS) == "staging.airudder.calls.v1-value"
    assert STAGING.group("airudder-streams") == "staging.airudder-streams"
    assert STAGING.all_of([CALLS]) == {"airudder.calls.v1": "staging.airudder.calls.v1"}


def test_without_a_prefix_names_are_the_declared_ones() -> None:
    assert [DECLARED.of(topic) for topic in TOPICS] == [topic.name for topic in TOPICS]
    assert KafkaConnection().names == RegistryConnection().names == DECLARED


@pytest.mark.parametrize("names", [DECLARED, STAGING, TopicNames("staging")])
def test_a_set_knows_its_own_topics_only(names: TopicNames) -> None:
    others = {prefix + CALLBACKS.name for prefix in ("", "staging.", "staging", "staging.staging.")}

    found = {name for name in others if names.topic(name)}

    assert found == {names.of(CALLBACKS)}
    assert names.foreign([*others, "billing.v1"]) == sorted(others - found)


def test_the_longest_name_is_the_one_that_kafka_must_take() -> None:
    assert DECLARED.longest("a") == max(len(topic.name) for topic in TOPICS)
    assert TopicNames("p").longest("a" * 200) == len("p" + "a" * 200 + "-sip-line-windows-changelog")
