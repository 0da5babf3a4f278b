"""The hops of a probe, in the order in which it passes them. Pure."""

from dataclasses import dataclass
from typing import Final

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, Topic


@dataclass(frozen=True)
class Hop:
    """One place where a probe is seen: a topic, or the gateway's answer, which has none."""

    name: str
    topic: Topic | None = None


HOPS: Final = (Hop("gateway"), *(Hop(topic.short_name, topic) for topic in (CALLBACKS, CALLS, ANSWERS, CALL_ATTEMPTS)))
GATEWAY: Final = HOPS[0].name
LAST: Final = HOPS[-1].name
NAMES: Final = tuple(hop.name for hop in HOPS)
BY_TOPIC: Final = {hop.topic: hop.name for hop in HOPS if hop.topic}
