"""What was lost is told by kind, worst first, with the command that helps; what nobody can say is never 0."""

from __future__ import annotations

from schemas.runtime import instants
from streams.monitor.conservation.exposition import Scraped, samples_of
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.losses.growth import Growth
from streams.monitor.losses.report import Loss, Section, counters, report
from streams.monitor.losses.views import losses, losses_view
from streams.monitor.monitor import Monitor
from streams.monitor.settings import MonitorSettings
from tests.support.pages import Tags, rendered

NOW = 1_800_000_000_000
MINUTE = 60_000
DAY = 86_400_000
QUIET = LagSnapshot(NOW, (), {}, {}, {})
LOST = LagSnapshot(NOW, (), {("billing; rm -rf /", "orders"): 7}, {}, {}, lost_at_ms={})

SAID = """
stream_dead_letter_total{stage="call",reason="invalid"} 0
stream_dead_letter_total{stage="call",reason="unknown_schema"} 2
webhook_quarantined_total{reason="bad_signature",outcome="kept"} 3
webhook_quarantined_total{reason="bad_signature",outcome="over_cap"} 1
stream_window_late_total{table="workflow-windows"} 5
webhook_spool_entries{state="waiting"} 4
webhook_spool_entries{state="refused"} 0
webhook_spool_oldest_age_seconds 90
"""


def said(text: str = SAID, as_of_ms: int | None = NOW) -> Scraped:
    return Scraped(as_of_ms, {"http://a": samples_of(text)})


def grown(snapshot: LagSnapshot, scraped: Scraped, at_ms: int) -> Growth:
    growth = Growth()
    found = counters(snapshot, scraped)
    growth.update({instance: dict.fromkeys(values, 0) for instance, values in found.items()}, at_ms - MINUTE)
    growth.update(found, at_ms)
    return growth


def sections(
    snapshot: LagSnapshot | None, scraped: Scraped, growth: Growth, why: dict[str, str] | None = None
) -> dict[str, Section]:
    found = report(snapshot, scraped, why or {}, growth, "http://127.0.0.1:8001", NOW)
    return {section.kind: section for section in found}


def test_each_kind_has_its_rows_with_since_when_and_what_helps() -> None:
    found = sections(LOST, said(), grown(LOST, said(), NOW - 10 * MINUTE))
    at = NOW - 10 * MINUTE

    assert found["retention"].rows == (
        Loss(
            "billing; rm -rf / lost records of orders",
            7,
            "broken",
            at,
            at,
            "python -m streams lag --partitions --group 'billing; rm -rf /'",
        ),
    )
    assert [(row.what, row.count, row.state) for row in found["dead_letters"].rows] == [
        ("unknown schema (stage call)", 2, "degraded")
    ]
    assert [(row.what, row.state) for row in found["quarantine"].rows] == [
        ("bad signature (over the daily cap, not kept)", "broken"),
        ("bad signature", "degraded"),
    ]
    assert [(row.count, row.since_ms) for row in found["spool"].rows] == [(4, NOW - 90_000)]
    assert [(row.what, row.count) for row in found["late"].rows] == [("late for workflow", 5)]


def test_what_is_over_stays_on_the_page_and_is_no_alarm() -> None:
    hours, days = grown(LOST, said(), NOW - 2 * 60 * MINUTE), grown(LOST, said(), NOW - 2 * DAY)
    assert sections(LOST, said(), hours)["retention"].state == "broken"
    assert sections(LOST, said(), hours)["late"].state == "ok"
    assert sections(LOST, said(), hours)["late"].count == 5
    assert sections(LOST, said(), days)["retention"].state == "ok"


def test_what_nobody_can_say_is_not_zero() -> None:
    why = {"lag": "nobody", "gateway": "MONITOR_GATEWAY_URLS is not set", "worker": "worker did not answer"}
    found = sections(None, Scraped(), Growth(), why)

    assert {(section.count, section.state) for section in found.values()} == {(None, None)}
    shown = losses_view(list(found.values()), NOW)["sections"]
    assert {(section["count"], section["state"]) for section in shown} == {(None, None)}
    over = sections(None, Scraped(), grown(LOST, said(), NOW - 2 * DAY), why)["retention"]
    assert (over.count, over.state) == (7, None), "an old loss does not say that there is no new one"
    lost = sections(None, Scraped(), grown(LOST, said(), NOW), why)["retention"]
    assert lost.state == "broken", "what is known to be lost is"
    assert found["spool"].unknown == "MONITOR_GATEWAY_URLS is not set"
    assert found["retention"].unknown == "nobody"
    assert {section.count for section in sections(QUIET, said("", NOW), Growth()).values()} == {0}


def test_dead_letters_are_seen_in_their_topic_when_the_worker_says_nothing() -> None:
    snapshot = LagSnapshot(NOW, (), {}, {}, {}, dead_letters=(3, NOW - MINUTE))
    rows = sections(snapshot, Scraped(), Growth(), {"worker": "it is not set"})["dead_letters"].rows
    assert [(row.count, row.since_ms) for row in rows] == [(3, NOW - MINUTE)]


def test_two_gateways_are_told_apart_and_counted_together() -> None:
    one, two = (samples_of(f'webhook_quarantined_total{{reason="r",outcome="kept"}} {count}') for count in (100, 50))
    growth = Growth()
    for look in ({"http://a": one, "http://b": two}, {"http://a": one}, {"http://a": one, "http://b": two}):
        growth.update(counters(QUIET, Scraped(NOW, look)), NOW)
    assert sections(QUIET, Scraped(NOW), growth)["quarantine"].count == 150


async def test_a_gateway_that_is_away_makes_its_share_unknown_and_what_the_others_say_stays() -> None:
    urls = "http://a,http://b"
    monitor = Monitor(MonitorSettings(gateway_urls=urls, worker_urls=urls))
    monitor.poller._snapshot = QUIET
    assert {s.kind: s.unknown for s in losses(monitor, NOW)}["spool"] == "not read yet"

    monitor.conservation.gateways.newest = said(as_of_ms=NOW - 1_000)
    monitor.conservation.workers.newest = Scraped(NOW, {}, ("worker http://b did not answer: ReadTimeout",))
    monitor.losses.look()
    found = {section.kind: section for section in losses(monitor, NOW)}
    assert (found["spool"].count, found["spool"].unknown) == (4, "")
    assert (found["dead_letters"].count, found["late"].count) == (2, 5)
    assert found["dead_letters"].unknown == found["late"].unknown == "worker http://b did not answer: ReadTimeout"

    monitor.conservation.gateways.newest = Scraped(NOW, {"http://a": {}}, ("gateway http://b answered 503",))
    spool = {section.kind: section for section in losses(monitor, NOW)}["spool"]
    assert (spool.count, spool.unknown) == (None, "gateway http://b answered 503")
    monitor.conservation.gateways.newest = said(as_of_ms=NOW - 60_000)
    spool = {section.kind: section for section in losses(monitor, NOW)}["spool"]
    assert spool.unknown == f"last read at {instants.text(NOW - 60_000)}"


async def test_with_kafka_frozen_nothing_is_known_to_be_lost_and_that_is_not_zero() -> None:
    monitor = Monitor(MonitorSettings())
    monitor.poller._snapshot = QUIET
    [fresh, *_], [stale, *_] = (losses(monitor, QUIET.as_of_ms + later) for later in (1_000, 60_000))

    assert (fresh.kind, fresh.count, fresh.unknown) == ("retention", 0, "")
    assert (stale.count, stale.unknown) == (None, f"lag: last read at {instants.text(QUIET.as_of_ms)}")
    page = Tags(rendered(monitor, "/losses", now_ms=QUIET.as_of_ms + 60_000)).text
    assert "Nothing was lost" not in page
