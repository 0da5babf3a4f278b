"""The topics that a deployment must have, and what is wrong with those that it has. Pure.

Faust creates no topic here. A changelog is declared like any other topic: its cleanup must be `compact` alone, and its
partitions must match those of the topics that its table follows.
"""

from typing import Final, NamedTuple

from schemas.connection_faults import hidden_topic
from schemas.placement import WAY_OUT
from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CO_PARTITIONED, MAX_RECORD_BYTES, TABLES, TOPICS, changelog_name

LIMIT: Final = "max.message.bytes"
# Only what breaks a promise when it differs. Retention is the operator's choice, and a larger limit does no harm.
CHECKED: Final = ("cleanup.policy", "message.timestamp.type")


class ExpectedTopic(NamedTuple):
    """One topic as it must be."""

    name: str
    config: dict[str, str]


class FoundTopic(NamedTuple):
    """One topic as it is: its partitions, and the checked values of its configuration, if we may see them."""

    partitions: int
    config: dict[str, str]
    is_config_hidden: bool = False


def expected_topics(group: str, names: TopicNames = DECLARED) -> list[ExpectedTopic]:
    """Every topic of one deployment, changelogs included, by its real name. group: the worker's, by its real name."""
    changelog = {
        "cleanup.policy": "compact",
        "message.timestamp.type": "CreateTime",
        "segment.ms": "3600000",
        LIMIT: str(MAX_RECORD_BYTES),
    }
    return [
        *(ExpectedTopic(names.of(topic), topic.config()) for topic in TOPICS),
        *(ExpectedTopic(changelog_name(group, table), changelog) for table in TABLES),
    ]


def faults_in(found: dict[str, FoundTopic], group: str, names: TopicNames = DECLARED) -> list[str]:
    """What is wrong with the topics, a line each; empty when the worker can rely on them."""
    faults = [fault for topic in expected_topics(group, names) for fault in _faults_of(topic, found.get(topic.name))]
    counts = {name: found[name].partitions for name in placed_by_count(group, names) if name in found}
    if len(set(counts.values())) > 1:
        listing = ", ".join(f"{name}: {count}" for name, count in counts.items())
        faults.append(f"these topics must have the same number of partitions ({listing}): {WAY_OUT}")
    return faults


def placed_by_count(group: str, names: TopicNames = DECLARED) -> list[str]:
    """The topics whose number of partitions the worker's state depends on."""
    return [names.of(topic) for topic in CO_PARTITIONED] + [changelog_name(group, table) for table in TABLES]


def is_too_low(found: dict[str, str], expected: dict[str, str]) -> bool:
    """Whether a topic takes smaller batches than expected. A topic that does not report its limit takes nothing."""
    return int(found.get(LIMIT) or 0) < int(expected.get(LIMIT) or 0)


def _faults_of(topic: ExpectedTopic, found: FoundTopic | None) -> list[str]:
    if found is None:
        return [hidden_topic(topic.name)]
    if found.is_config_hidden:
        return [f"topic {topic.name} hides its settings from us without the right DescribeConfigs on it"]
    faults = [
        f"topic {topic.name} has {name}={found.config.get(name)}, not {topic.config[name]}"
        for name in CHECKED
        if found.config.get(name) != topic.config[name]
    ]
    if is_too_low(found.config, topic.config):
        faults.append(
            f"topic {topic.name} has {LIMIT}={found.config.get(LIMIT)}, less than {topic.config[LIMIT]}: "
            "run `python -m streams topics apply`, which raises it"
        )
    return faults
