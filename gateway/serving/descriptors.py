"""How many descriptors this process may have, and how many connections senders may open."""

import resource
from typing import Final

OPS_CONNECTIONS: Final = 100  # on the ops port: probes, scrapes and a few people
RESERVED: Final = 256  # for the ops port, Kafka, the registry, the spool and the log

_UNLIMITED: Final = 1_048_576


def raise_limit() -> int:
    """Raise the limit as far as the system allows; returns the number of descriptors. Repeat: safe."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # some systems allow less than they promise
            pass
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def connections_within(descriptors: int, wanted: int) -> int:
    """Up to `wanted` connections, less what the process needs itself, but never less than half the descriptors."""
    return max(1, min(wanted, max(descriptors - RESERVED, descriptors // 2)))
