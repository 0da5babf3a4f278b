"""Fewer garbage collections, for a process whose messages leave no reference cycles."""

import gc


def collect_seldom(after: int) -> None:
    """Collect young objects once `after` containers were made and not freed, and never those that exist now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(after, 20, 50)
