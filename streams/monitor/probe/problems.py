"""What a lost probe means for health. Pure."""

from collections.abc import Iterator
from typing import Final

from streams.monitor.health import HealthState, Problem
from streams.monitor.probe.prober import Prober

LINK: Final = "/#probe"


def probe_problems(prober: Prober) -> Iterator[Problem]:
    """One lost probe is `degraded`, as a restart costs one; two in a row are `broken`: no call comes through.

    Where we could not look ourselves we are `blind`: it may have come through.
    """
    ledger, lost = prober.ledger, prober.ledger.last_lost
    if prober.unsent.text:
        yield Problem("blind", "probe cannot be sent", prober.unsent.text, LINK)
    if ledger.lost_in_a_row and lost is not None:
        count = "1 probe" if ledger.lost_in_a_row == 1 else f"{ledger.lost_in_a_row} probes in a row"
        late = f"; the last one came after {max(lost.late.values()):.0f} s" if lost.late else ""
        what, evidence = f"probe lost at hop {lost.lost_at}", f"{count}: {lost.reason}{late}"
        state: HealthState = "blind" if lost.is_unseen else "broken" if ledger.is_broken else "degraded"
        yield Problem(state, what, evidence, LINK, ledger.lost_since_ms)
