"""Samples of one span of time as three numbers, which add up exactly to longer spans. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from streams.monitor.history.names import Joined

FINE_S: Final = 10
COARSE_S: Final = 60


class Span(NamedTuple):
    """The samples of one span: how many, their sum, and the highest."""

    n: int
    total: float
    highest: float

    def with_(self, other: "Span") -> "Span":
        """Both together."""
        return Span(self.n + other.n, self.total + other.total, max(self.highest, other.highest))

    def without(self, other: "Span") -> "Span":
        """What came after `other` was taken of it."""
        return Span(self.n - other.n, self.total - other.total, self.highest)

    def value(self, joined: Joined) -> float:
        """The one number of a span."""
        return self.highest if joined == "max" else self.total / self.n


Started = tuple[int, Span]
"""A span and where it begins, epoch s."""


def in_steps(spans: Iterable[Started], step_s: int) -> dict[int, Span]:
    """The spans of each step, together."""
    steps: dict[int, Span] = {}
    for start, span in spans:
        at = start // step_s * step_s
        steps[at] = span.with_(steps[at]) if at in steps else span
    return steps


def parts_of(minutes: Iterable[Started], step_s: int) -> Iterator[Started]:
    """Minutes for steps of this length. Where a step is no whole minutes, a minute stands for each of its parts."""
    if step_s % COARSE_S == 0:
        yield from minutes
    else:
        yield from ((at, span) for start, span in minutes for at in range(start, start + COARSE_S, FINE_S))
