"""What became of each probe, hop by hop. Pure: the caller passes the time, UTC epoch ms.

A probe is expected at one hop at a time: the first that has not shown it. There it is in flight, and there it is lost
when the deadline passes. So for each hop, sent = received + lost + in flight, and a loss counts at the hop that failed
and not at those behind it. What arrives after that is late: told, and counted nowhere.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from streams.monitor.probe.hops import GATEWAY, NAMES

KEPT: Final = 20  # probes to show
LATE_WATCHED: Final = 1  # lost probes that are still looked for: each costs as much as one in flight
BROKEN_AFTER: Final = 2  # lost in a row


@dataclass
class Probe:
    """One probe. roundtrips, late: seconds from sending to each hop that showed it in time, or later.

    sent_ms: None until it is sent. is_unseen: we could not look where it is missing.
    """

    call_id: str
    sent_ms: int | None = None
    roundtrips: dict[str, float] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)
    lost_at: str | None = None
    reason: str = ""
    is_unseen: bool = False

    @property
    def expected_at(self) -> str | None:
        """The first hop that has not shown it; None when all have, or when it is lost."""
        return None if self.lost_at else next((name for name in NAMES if name not in self.roundtrips), None)

    @property
    def is_complete(self) -> bool:
        """Whether every hop showed it, be it late."""
        return all(name in self.roundtrips or name in self.late for name in NAMES)

    @property
    def is_decided(self) -> bool:
        """Whether it is lost, or passed every hop in time."""
        return self.expected_at is None


class ProbeLedger:
    """The newest KEPT probes, and the counts of all, by hop."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.shown: Counter[str] = Counter()  # in time or late
        self.last_ms: dict[str, int] = {}
        self.lost_in_a_row = 0
        self.lost_since_ms = 0
        self.last_lost: Probe | None = None
        self.probes: deque[Probe] = deque(maxlen=KEPT)

    def send(self, probe: Probe, now_ms: int) -> None:
        """The probe is sent now."""
        probe.sent_ms = now_ms
        self.probes.appendleft(probe)
        self.sent[GATEWAY] += 1

    def arrive(self, probe: Probe, hop: str, now_ms: int, appended_ms: int | None = None) -> bool:
        """A hop showed the probe; whether that was in time, and news. Repeat: safe, as records may come twice.

        appended_ms: when the broker had it, by its own clock; it is believed as far as it lies between sending and now.
        """
        at_ms = now_ms if appended_ms is None else min(appended_ms, now_ms)
        seconds = max(0, at_ms - (probe.sent_ms or at_ms)) / 1000
        if hop in probe.roundtrips or hop in probe.late:
            return False
        self.shown[hop] += 1
        if probe.lost_at:
            probe.late[hop] = seconds
            return False
        before = probe.expected_at
        probe.roundtrips[hop] = seconds
        self.received[hop] += 1
        self.last_ms[hop] = at_ms
        if hop != before:  # out of order: it was not yet expected here
            self.sent[hop] += 1
        elif probe.expected_at is not None:
            self.sent[probe.expected_at] += 1
        else:
            self.lost_in_a_row = 0
        return True

    def lose(self, probe: Probe, reason: str, *, is_unseen: bool = False) -> None:
        """The hop at which the probe is expected refused it, or did not show it in time. Repeat: safe."""
        if hop := probe.expected_at:
            probe.lost_at, probe.reason, probe.is_unseen = hop, reason, is_unseen
            self.lost[hop] += 1
            self.lost_since_ms = self.lost_since_ms if self.lost_in_a_row else probe.sent_ms or 0
            self.lost_in_a_row += 1
            self.last_lost = probe

    @property
    def is_broken(self) -> bool:
        """Whether so many were lost in a row that it is no accident."""
        return self.lost_in_a_row >= BROKEN_AFTER

    @property
    def in_flight(self) -> Counter[str]:
        """How many are expected, by hop."""
        return Counter(probe.expected_at for probe in self.probes if probe.expected_at)

    @property
    def watched(self) -> list[Probe]:
        """The probes to look for: those in flight, and the newest lost ones, which may come late."""
        lost = [probe for probe in self.probes if probe.lost_at and not probe.is_complete][:LATE_WATCHED]
        return [probe for probe in self.probes if not probe.is_decided] + lost
