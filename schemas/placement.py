"""The partition of a key. It depends on the number of partitions, so that number must never change."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CO_PARTITIONED

WAY_OUT: Final = (
    "keys are placed by the number of partitions, so with another one a call would be counted in two places. Kafka "
    "takes no partition away again: make a new set of topics by `python -m streams topics apply` under another "
    "AIRUDDER_TOPIC_PREFIX, and copy the callbacks into it by `python -m streams replay --to-prefix`"
)


@lru_cache(maxsize=16384)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as every Kafka client chooses it by default (murmur2).

    The result is cached with the key. For a key that may be huge call `partition_of.__wrapped__`.
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def changed_counts(began_with: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Topics whose number of partitions is not what it was, as one fault with the way out; empty when none.

    A deleted topic has 0 in `now`; a topic that `now` does not name is not compared.
    """
    changed = [
        f"{name}: {count}, now {now[name]}" for name, count in began_with.items() if now.get(name, count) != count
    ]
    return f"the number of partitions changed ({', '.join(changed)}): {WAY_OUT}" if changed else ""


def unequal_counts(now: Mapping[str, int], names: TopicNames = DECLARED) -> str:
    """Topics that are read together and differ in their number of partitions, as one fault; empty when none."""
    counts = {name: now[name] for name in map(names.of, CO_PARTITIONED) if now.get(name)}
    if len(set(counts.values())) < 2:
        return ""
    listing = ", ".join(f"{name}: {count}" for name, count in counts.items())
    return f"these topics must have the same number of partitions ({listing}): {WAY_OUT}"
