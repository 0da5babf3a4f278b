"""Who may write callbacks, by the broker's rules. aiokafka's admin client knows no rules, confluent-kafka's does."""

from __future__ import annotations

from typing import Any

import confluent_kafka.admin

from schemas.topics import CALLBACKS

AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# everyone may do everything until a rule says otherwise
allow.everyone.if.no.acl.found=true
"""
EVERYONE = "User:*"
ANSWER_S = 20.0

_library: Any = confluent_kafka.admin  # its names are not declared as exported


def forbid_writing(bootstrap_servers: str) -> None:
    """Nobody may write callbacks any more; all else stays allowed."""
    operations, permissions = _library.AclOperation, _library.AclPermissionType
    rules = [
        _rule(_library.AclBinding, operations.ALL, permissions.ALLOW),
        _rule(_library.AclBinding, operations.WRITE, permissions.DENY),
    ]
    client = _client(bootstrap_servers)
    _wait(client.create_acls(rules))


def allow_writing(bootstrap_servers: str) -> None:
    """Undo `forbid_writing`."""
    every = _rule(_library.AclBindingFilter, _library.AclOperation.ANY, _library.AclPermissionType.ANY)
    client = _client(bootstrap_servers)
    _wait(client.delete_acls([every]))


def _rule(kind: Any, operation: Any, permission: Any) -> Any:
    literal = _library.ResourcePatternType.LITERAL
    return kind(_library.ResourceType.TOPIC, CALLBACKS.name, literal, EVERYONE, "*", operation, permission)


def _client(bootstrap_servers: str) -> Any:
    """Hold on to it: its futures fail when it goes."""
    return _library.AdminClient({"bootstrap.servers": bootstrap_servers})


def _wait(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(timeout=ANSWER_S)
