"""Made-up dials of lines that share workflows, for the explanation of a line: healthy, or bad in one known way."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

from streams.monitor.lines.dials import HOUR_MS, Dial, ring_time_label

PREFIXES = ("62811", "62812", "62813")
REDIALS = (70, 15, 9, 6)  # weights of 1 to 4 dials


class Script(NamedTuple):
    """A workflow: its share of answers, of dials that fail anyway, and its weight."""

    answered: float
    failed: float
    weight: int


SCRIPTS = {"wf-a": Script(0.55, 0.06, 5), "wf-b": Script(0.35, 0.02, 4), "wf-c": Script(0.60, 0.10, 3)}
BY_HOUR = (1.0, 0.8, 1.1)  # answers by hour, on all lines alike

# ring type, ring seconds, hangup type, result label
ENDS = {
    "answered": ("normal", (4, 9), "ByRobot", "A"),
    "no_answer": ("normal", (18, 45), "Canceled", "NO ANSWER"),
    "rejected": ("normal", (4, 14), "ByCallee", "DECLINED"),
    "busy": ("busy", (0, 0), "Canceled", "BUSY"),
    "off": ("switchoff", (0, 0), "Canceled", "POWER OFF"),
    "wrong": ("wrongnum", (0, 0), "Canceled", "INVALID"),
    "failed": ("normal", (0, 0), "ByCallee", "DECLINED"),
}
UNANSWERED = tuple(name for name in ENDS if name not in ("answered", "failed"))


class Bad(NamedTuple):
    """Dials that always fail: those with all of these values."""

    prefix: str | None = None
    workflow: str | None = None
    hour: int | None = None


def dials(random: Random, count: int, bad: Bad | None = None, mix: tuple[int, ...] = (5, 4, 3)) -> Counter[Dial]:
    """At least so many dials of one line. The dials of one call end alike, as one callee's do."""
    made: Counter[Dial] = Counter()
    while made.total() < count:
        workflow = random.choices(list(SCRIPTS), mix)[0]
        hour, prefix = random.randrange(len(BY_HOUR)), random.choice(PREFIXES)
        is_answered = random.random() < SCRIPTS[workflow].answered * BY_HOUR[hour]
        end = "answered" if is_answered else random.choice(UNANSWERED)
        number = random.choices((1, 2, 3, 4), REDIALS)[0]
        for attempt in range(1, number + 1):
            this = "no_answer" if end == "answered" and attempt < number else end
            if _is_bad(bad, prefix, workflow, hour) or random.random() < SCRIPTS[workflow].failed:
                this = "failed"
            made[_dial(random, this, workflow, hour, prefix, attempt)] += 1
    return made


def _is_bad(bad: Bad | None, prefix: str, workflow: str, hour: int) -> bool:
    if bad is None:
        return False
    return all(
        wanted in (None, value) for wanted, value in ((bad.prefix, prefix), (bad.workflow, workflow), (bad.hour, hour))
    )


def _dial(random: Random, end: str, workflow: str, hour: int, prefix: str, attempt: int) -> Dial:
    ring_type, seconds, hangup_type, label = ENDS[end]
    rang = random.randint(*seconds)
    return Dial(
        workflow,
        hour * HOUR_MS,
        end == "failed",
        None,
        f"ring type {ring_type} and " + ("rang" if rang else "never rang"),
        ring_time_label(rang),
        hangup_type,
        label,
        prefix,
        str(attempt),
    )
