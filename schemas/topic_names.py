"""The names of one set of topics on a cluster. Code has the declared names; Kafka and the registry see the real ones.

A real name is AIRUDDER_TOPIC_PREFIX and the declared name, so that several sets share a cluster. What leaves the
process (log lines, metrics, dead letters, `replayed_from`) has real names.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from schemas.topics import BY_NAME, TABLES, TOPICS, Topic, changelog_name

MAX_NAME_CHARS: Final = 249  # Kafka's limit


@dataclass(frozen=True)
class TopicNames:
    """The names under one prefix; without one the declared names."""

    prefix: str = ""

    def of(self, topic: Topic) -> str:
        """The topic's real name."""
        return self.prefix + topic.name

    def all_of(self, topics: Iterable[Topic] = TOPICS) -> dict[str, str]:
        """Real names by declared ones."""
        return {topic.name: self.of(topic) for topic in topics}

    def subject_of(self, topic: Topic) -> str:
        """The registry's real name for the schema of the topic's values."""
        return self.prefix + topic.subject

    def group(self, app_id: str) -> str:
        """The worker's consumer group, which also begins the names of its changelogs."""
        return self.prefix + app_id

    def topic(self, name: str) -> Topic | None:
        """The topic with this real name; None for a topic that is not of this set."""
        return BY_NAME.get(name.removeprefix(self.prefix)) if name.startswith(self.prefix) else None

    def foreign(self, names: Collection[str]) -> list[str]:
        """Those of the real names that topics of ours have under another prefix, in order."""
        return sorted(name for name in names if self.topic(name) is None and name.endswith(tuple(BY_NAME)))

    def longest(self, app_id: str) -> int:
        """The length of the longest real name, in characters."""
        changelogs = [changelog_name(self.group(app_id), table) for table in TABLES]
        return max(map(len, (*self.all_of().values(), *changelogs)))


DECLARED: Final = TopicNames()
