"""What a difference means for health. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from streams.monitor.conservation.ledger import Difference
from streams.monitor.health import Problem

# A look takes seconds, and a rebalance some more.
LASTING_S: Final = 120.0
LINK: Final = "/losses"


def conservation_problems(differences: Iterable[Difference]) -> Iterator[Problem]:
    """A problem for each step that loses, or counts twice. It is shown once it lasted LASTING_S."""
    for found in differences:
        if found.value:
            what = f"conservation is broken: {found.step}"
            count = f"{found.value} callbacks are not accounted for" if found.value > 0 else f"{-found.value} too many"
            evidence = f"{count}: {found.term.upstream} upstream, {found.term.downstream} downstream"
            yield Problem("broken", what, evidence, LINK, lasting_s=LASTING_S)
