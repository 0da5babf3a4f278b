"""Fewer garbage collections, for a process whose messages contain no reference cycles."""

import gc


def collect_seldom(after: int) -> None:
    """Collect young objects after `after` unfreed containers. Objects that exist now are never collected."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(after, 20, 50)
