"""The limit on the size of a topic's batches: `topics apply` raises one that is too low, and lowers none.

Kafka counts the compressed batch. We count a single record before compression, so a record that we send always fits.
"""

from collections.abc import Mapping
from typing import Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from streams.errors import TopicsError
from streams.topics.expected import LIMIT

_SET_ON_THE_TOPIC: Final = 1  # the source of a value, in DescribeConfigs from version 1 on
_ENTRY_OF_VERSION_1: Final = 6  # fields of an entry from version 1 on; before it has no source


async def raise_limits(client: Any, wanted: Mapping[str, int]) -> None:
    """Raise the limit of existing topics. wanted: bytes by name. Repeat: safe.

    AlterConfigs replaces all settings of a topic, so the other settings are read and sent back unchanged.
    Raises: TopicsError naming every topic whose limit could not be raised.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(wanted)]
    faults, changed = [], []
    for response in await client.describe_configs(resources) if resources else []:
        for _, _, _, name, entries in response.resources:
            if any(len(entry) < _ENTRY_OF_VERSION_1 for entry in entries):
                faults.append(_by_hand(name, wanted[name], "the broker is too old to report the other settings"))
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
