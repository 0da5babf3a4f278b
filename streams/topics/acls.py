"""The rights that each role needs at Kafka, and no others: `topics acls` prints them.

In Kafka, Read and Write imply Describe. No role needs a right on the cluster.
"""

import shlex
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple, get_args

from schemas.topic_names import TopicNames
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLS,
    CO_PARTITIONED,
    OUTPUTS,
    SIP_LINE_OUTCOMES,
    TOPICS,
    WORKFLOW_OUTCOMES,
    Topic,
)

Role = Literal["gateway", "worker", "monitor", "topics", "operator", "subscriber"]
Operation = Literal["AlterConfigs", "Create", "Describe", "DescribeConfigs", "Read", "Write"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
USER: Final = "airudder-{role}"
FAMILY: Final = "airudder."  # every declared name begins with it
REPLAY_GROUP: Final = "airudder-replay"  # keeps how far `replay` has come, behind the prefix of the new topics


class Right(NamedTuple):
    """One right. `is_prefix`: on everything whose name begins with `name`."""

    resource: Literal["Topic", "Group"]
    name: str
    operation: Operation
    is_prefix: bool = False


class Deployment(NamedTuple):
    """What the names are made of. `group`: the worker's, which its changelogs begin with."""

    names: TopicNames
    group: str


class Grant(NamedTuple):
    """The rights of one role, each once, for one user."""

    role: Role
    user: str
    rights: list[Right]

    @property
    def principal(self) -> str:
        """The user as Kafka's authorizer names it."""
        return f"User:{self.user}"

    def command(self, right: Right) -> str:
        """The right as a command of Kafka's own tools."""
        pattern = " --resource-pattern-type prefixed" if right.is_prefix else ""
        return (
            'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --add '
            f"--allow-principal {shlex.quote(self.principal)} --operation {right.operation} "
            f"--{right.resource.lower()} {shlex.quote(right.name)}{pattern}"
        )

    def row(self, right: Right) -> dict[str, str]:
        """The right as JSON, in Kafka's words."""
        return {
            "role": self.role,
            "principal": self.principal,
            "operation": right.operation,
            "resource_type": right.resource,
            "name": right.name,
            "pattern_type": "PREFIXED" if right.is_prefix else "LITERAL",
        }


def granted(role: Role, deployment: Deployment, user: str) -> Grant:
    """What one role needs. `user`: at Kafka; `{role}` in it stands for the role."""
    user = user.replace("{role}", role)
    return Grant(role, user, sorted(set(_RIGHTS[role](deployment, user))))


# `gateway serve` alone; the gateway's tools are an operator's.
def _gateway(deployment: Deployment, _: str) -> Iterator[Right]:
    yield from _on("Write", deployment, *(topic for topic in TOPICS if topic.writer == "gateway"))


def _worker(deployment: Deployment, _: str) -> Iterator[Right]:
    yield from _on("Read", deployment, *CO_PARTITIONED)
    yield from _on("Write", deployment, *(topic for topic in TOPICS if topic.writer == "worker"))
    yield _family("DescribeConfigs", deployment)
    yield _family("Describe", deployment)
    for operation in ("DescribeConfigs", "Read", "Write"):
        yield Right("Topic", f"{deployment.group}-", operation, is_prefix=True)
    yield Right("Group", deployment.group, "Read")


def _monitor(deployment: Deployment, _: str) -> Iterator[Right]:
    yield from _on(
        "Read", deployment, *CO_PARTITIONED, CALLS, ANSWERS, CALL_ATTEMPTS, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES
    )
    yield Right("Group", deployment.group, "Describe")


def _topics(deployment: Deployment, _: str) -> Iterator[Right]:
    for operation in ("AlterConfigs", "Create", "Describe", "DescribeConfigs"):
        yield _family(operation, deployment)
        yield Right("Topic", f"{deployment.group}-", operation, is_prefix=True)


def _operator(deployment: Deployment, _: str) -> Iterator[Right]:
    yield _family("Read", deployment)
    yield _family("Write", deployment)
    yield Right("Group", deployment.group, "Describe")
    yield Right("Group", deployment.names.group(REPLAY_GROUP), "Read")


def _subscriber(deployment: Deployment, user: str) -> Iterator[Right]:
    yield from _on("Read", deployment, *OUTPUTS)
    yield Right("Group", user, "Read", is_prefix=True)


def _on(operation: Operation, deployment: Deployment, *topics: Topic) -> Iterator[Right]:
    return (Right("Topic", deployment.names.of(topic), operation) for topic in topics)


def _family(operation: Operation, deployment: Deployment) -> Right:
    return Right("Topic", deployment.names.prefix + FAMILY, operation, is_prefix=True)


_RIGHTS: Final[dict[Role, Callable[[Deployment, str], Iterator[Right]]]] = {
    "gateway": _gateway,
    "worker": _worker,
    "monitor": _monitor,
    "topics": _topics,
    "operator": _operator,
    "subscriber": _subscriber,
}
