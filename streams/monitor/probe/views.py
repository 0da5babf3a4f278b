"""The probe as JSON and for the page: one builder for both. Pure."""

from typing import Any, Literal

from schemas.runtime import instants
from streams.monitor.probe.hops import HOPS, NAMES
from streams.monitor.probe.ledger import Probe
from streams.monitor.probe.prober import Prober

HopState = Literal["ok", "lost", "not reached", "unknown"]


def probe_view(prober: Prober | None) -> dict[str, Any]:
    """`{"is_on", "interval_s", "deadline_s", "since", "state", "lost_at", "lost_in_a_row", "lost_since", "fault",
    "hops": [{"hop", "topic", "state", "sent", "received", "lost", "in_flight", "roundtrip_s", "last_received_at"}],
    "probes": [{"sent_at", "state", "lost_at", "reason", "roundtrip_s": {hop: seconds}, "late_s": {hop: seconds}}]}`,
    the newest probe first. Without probes `is_on` is false, and there is nothing else.
    """
    if prober is None:
        return {"is_on": False}
    ledger = prober.ledger
    decided = next((probe for probe in ledger.probes if probe.is_decided), None)
    is_lost = bool(ledger.lost_in_a_row and ledger.last_lost)
    return {
        "is_on": True,
        "interval_s": prober.interval_s,
        "deadline_s": prober.deadline_s,
        "since": instants.text(prober.since_ms),
        "state": "unknown" if decided is None else "lost" if is_lost else "ok",
        "lost_at": ledger.last_lost.lost_at if is_lost and ledger.last_lost else None,
        "lost_in_a_row": ledger.lost_in_a_row,
        "lost_since": instants.text(ledger.lost_since_ms) if is_lost else None,
        "fault": prober.unsent.text,
        "hops": [_hop(prober, number, decided) for number in range(len(HOPS))],
        "probes": [_probe(probe) for probe in ledger.probes],
    }


def _hop(prober: Prober, number: int, decided: Probe | None) -> dict[str, Any]:
    hop, ledger = HOPS[number], prober.ledger
    newest = next((probe for probe in ledger.probes if hop.name in probe.roundtrips), None)
    last_ms = ledger.last_ms.get(hop.name)
    return {
        "hop": hop.name,
        "topic": hop.topic.name if hop.topic else None,
        "state": _state(hop.name, decided),
        "sent": ledger.sent[hop.name],
        "received": ledger.received[hop.name],
        "lost": ledger.lost[hop.name],
        "in_flight": ledger.in_flight[hop.name],
        "roundtrip_s": newest.roundtrips[hop.name] if newest else None,
        "last_received_at": instants.text(last_ms) if last_ms else None,
    }


def _state(hop: str, decided: Probe | None) -> HopState:
    """What the newest probe that is decided says of a hop."""
    if decided is None:
        return "unknown"
    if hop in decided.roundtrips:
        return "ok"
    return "lost" if hop == decided.lost_at else "not reached"


def _probe(probe: Probe) -> dict[str, Any]:
    state = "late" if probe.lost_at and probe.is_complete else "lost" if probe.lost_at else "ok"
    return {
        "sent_at": instants.text(probe.sent_ms or 0),
        "state": state if probe.is_decided else "in flight",
        "lost_at": probe.lost_at,
        "reason": probe.reason or None,
        "roundtrip_s": {name: probe.roundtrips[name] for name in NAMES if name in probe.roundtrips},
        "late_s": {name: probe.late[name] for name in NAMES if name in probe.late},
    }
