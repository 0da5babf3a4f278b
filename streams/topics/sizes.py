"""How large a batch a topic takes: raised where an older release or the broker's default left it lower, never lowered.

Kafka counts the compressed batch. We count a single record before compression, so what we let pass always fits.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from streams.errors import TopicsError

LIMIT: Final = "max.message.bytes"
_SET_ON_THE_TOPIC: Final = 1  # a source of a value in DescribeConfigs from version 1 on
_ENTRY_OF_VERSION_1: Final = 6  # values in an entry from then on: before, the source was not told


def is_too_low(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a topic takes less than is wanted. A topic that does not tell takes nothing."""
    return int(found.get(LIMIT) or 0) < int(wanted.get(LIMIT) or 0)


async def raise_limits(client: Any, wanted: Mapping[str, int]) -> None:
    """Raise the limit of topics that are there, to these bytes by name. Repeat: safe.

    AlterConfigs sets all that a topic has of its own, so the rest of that is read and sent back as it is.
    Raises: TopicsError naming every topic whose limit could not be raised.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(wanted)]
    faults, changed = [], []
    for response in await client.describe_configs(resources) if resources else []:
        for _, _, _, name, entries in response.resources:
            if any(len(entry) < _ENTRY_OF_VERSION_1 for entry in entries):
                faults.append(_by_hand(name, wanted[name], "the broker is too old to tell what else is set"))
                continue
            own = {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_THE_TOPIC}
            changed.append(ConfigResource(ConfigResourceType.TOPIC, name, {**own, LIMIT: str(wanted[name])}))
    for response in await client.alter_configs(changed) if changed else []:
        for code, message, _, name in response.resources:
            if code:
                faults.append(_by_hand(name, wanted[name], f"{for_code(code).__name__} {message or ''}".rstrip()))
    if faults:
        raise TopicsError("\n".join(f"  - {fault}" for fault in faults))


def _by_hand(name: str, limit: int, why: str) -> str:
    command = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {LIMIT}={limit}"
    return f"{LIMIT} of topic {name} could not be raised: {why}. By hand: {command}"
