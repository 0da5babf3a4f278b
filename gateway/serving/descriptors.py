"""How many files and connections this process may have open, and how many of them senders may take."""

import resource

OPS_CONNECTIONS = 100  # on the ops port: probes, scrapes and a few people
RESERVED = 256  # for those, Kafka, the registry, the spool and the log

_UNLIMITED = 1_048_576


def raise_limit() -> int:
    """Ask for as many descriptors as the system allows this process; returns how many that are. Repeat: safe."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # a system that promises more than it gives
            pass
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def connections_within(descriptors: int, wanted: int) -> int:
    """Up to `wanted`, leaving what we need ourselves, but never less than half."""
    return max(1, min(wanted, max(descriptors - RESERVED, descriptors // 2)))
