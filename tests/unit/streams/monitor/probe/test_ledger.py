"""What became of probes: at each hop sent = received + lost + in flight, and a loss counts at one hop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.monitor.probe.hops import NAMES
from streams.monitor.probe.ledger import KEPT, LATE_WATCHED, Probe, ProbeLedger
from streams.monitor.probe.metrics import BUCKETS_S, ProbeMetrics

AT_MS = 1_000_000


def sent(ledger: ProbeLedger, number: int = 0) -> Probe:
    probe = Probe(f"__probe__{number}")
    ledger.send(probe, AT_MS + number)
    return probe


def passes(ledger: ProbeLedger, probe: Probe, *hops: str) -> None:
    for hop in hops:
        ledger.arrive(probe, hop, AT_MS + 100)


def test_a_probe_that_passes_every_hop_counts_once_at_each() -> None:
    ledger = ProbeLedger()
    probe = sent(ledger)
    passes(ledger, probe, *NAMES, *NAMES)

    assert probe.is_complete
    assert ledger.sent == ledger.received == dict.fromkeys(NAMES, 1)
    assert not ledger.in_flight
    assert not ledger.watched


def test_a_loss_counts_at_the_first_hop_that_failed_and_not_behind_it() -> None:
    ledger = ProbeLedger()
    probe = sent(ledger)
    passes(ledger, probe, "gateway", "callbacks")
    ledger.lose(probe, "not in time")
    ledger.lose(probe, "again")

    assert (probe.lost_at, ledger.lost) == ("calls", {"calls": 1})
    assert ledger.sent == {"gateway": 1, "callbacks": 1, "calls": 1}


def test_what_arrives_after_the_loss_is_late_and_counts_nowhere() -> None:
    ledger = ProbeLedger()
    probe = sent(ledger)
    passes(ledger, probe, "gateway", "callbacks")
    ledger.lose(probe, "not in time")
    for hop in NAMES[2:]:
        assert not ledger.arrive(probe, hop, AT_MS + 12_000)

    assert probe.late == dict.fromkeys(NAMES[2:], 12.0)
    assert ledger.received["calls"] == 0
    assert ledger.lost_in_a_row == 1, "it was lost all the same"
    assert not ledger.watched


def test_two_losses_in_a_row_are_no_accident_and_one_that_comes_through_ends_the_row() -> None:
    ledger = ProbeLedger()
    for number in range(2):
        assert not ledger.is_broken
        ledger.lose(sent(ledger, number), "refused")
    assert (ledger.is_broken, ledger.lost_since_ms) == (True, AT_MS)

    passes(ledger, sent(ledger, 2), *NAMES)
    assert (ledger.is_broken, ledger.lost_in_a_row) == (False, 0)
    ledger.lose(sent(ledger, 3), "refused")
    assert ledger.lost_since_ms == AT_MS + 3


def test_the_brokers_clock_is_believed_between_sending_and_now() -> None:
    ledger = ProbeLedger()
    for hop, appended_ms, seconds in (("gateway", 40, 0.04), ("callbacks", -7_000, 0.0), ("calls", 9_000, 0.1)):
        probe = sent(ledger)
        ledger.arrive(probe, hop, AT_MS + 100, AT_MS + appended_ms)
        assert probe.roundtrips[hop] == seconds


def test_however_many_are_lost_memory_is_bounded_and_the_newest_are_looked_for() -> None:
    ledger = ProbeLedger()
    probes = [sent(ledger, number) for number in range(1_000)]
    for probe in probes:
        ledger.lose(probe, "refused")

    assert len(ledger.probes) == KEPT
    assert ledger.watched == probes[: -LATE_WATCHED - 1 : -1]


EVENTS = st.lists(st.tuples(st.sampled_from([*NAMES, "lost", "sent"]), st.integers(0, 5)), max_size=60)


@given(EVENTS)
def test_at_each_hop_sent_is_received_and_lost_and_in_flight_whatever_the_order(events: list[tuple[str, int]]) -> None:
    ledger = ProbeLedger()
    probes = [sent(ledger)]
    for what, number in events:
        probe = probes[number % len(probes)]
        if what == "sent" and len(probes) < KEPT:
            probes.append(sent(ledger, len(probes)))
        elif what == "lost":
            ledger.lose(probe, "refused")
        elif what != "sent":
            ledger.arrive(probe, what, AT_MS)

        for hop in NAMES:
            assert ledger.sent[hop] == ledger.received[hop] + ledger.lost[hop] + ledger.in_flight[hop]


def test_the_metrics_are_the_ledgers_counts_from_zero_on() -> None:
    registry, ledger = CollectorRegistry(), ProbeLedger()
    metrics = ProbeMetrics(registry, ledger)
    assert registry.get_sample_value("probe_lost_total", {"hop": "calls"}) == 0

    probe = sent(ledger)
    passes(ledger, probe, "gateway", "callbacks")
    metrics.observe("gateway", BUCKETS_S[-1])
    assert registry.get_sample_value("probe_in_flight", {"hop": "calls"}) == 1
    ledger.lose(probe, "not in time")

    assert registry.get_sample_value("probe_in_flight", {"hop": "calls"}) == 0
    assert registry.get_sample_value("probe_lost_total", {"hop": "calls"}) == 1
    assert registry.get_sample_value("probe_received_total", {"hop": "callbacks"}) == 1
    assert registry.get_sample_value("probe_roundtrip_seconds_bucket", {"hop": "gateway", "le": "10.0"}) == 1
