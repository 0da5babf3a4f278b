"""What sets a line apart is found and named first; what it shares with its peers, and chance, is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from scipy.stats import norm

from streams.monitor.lines.dials import HOUR_MS, Dial, caller_prefix, dials_of
from streams.monitor.lines.explaining import FALSE_FINDING, Compared, compared, least_z
from streams.monitor.lines.sentences import per_cent, sentence, shown_value
from tests.support.dialling import Bad, dials
from tests.support.panes import NOON_MS, line_workflow


def _explained(seed: int, count: int = 400, bad: Bad | None = None, bad_peers: Bad | None = None) -> Compared:
    random = Random(seed)
    here = dials(random, count, bad)
    return compared(here, _sum(dials(random, count, bad_peers) for _ in range(3)))


def _sum(groups: Iterable[Counter[Dial]]) -> Counter[Dial]:
    total: Counter[Dial] = Counter()
    for group in groups:
        total.update(group)
    return total


@pytest.mark.parametrize(
    ("bad", "attribute", "value"),
    [
        (Bad(prefix="62812"), "caller_prefix", "62812"),
        (Bad(workflow="wf-b"), "workflow", "wf-b"),
        (Bad(hour=1), "hour", str(HOUR_MS)),
    ],
)
def test_the_segment_that_fails_is_named_first(bad: Bad, attribute: str, value: str) -> None:
    for seed in range(10):
        first = _explained(seed, bad=bad).findings[0]

        assert (first.kind, first.attribute, first.value) == ("segment", attribute, value)
        assert first.share == 1.0
        assert first.peer_share is not None
        assert first.peer_share < 0.3
        assert first.holds is not None
        assert first.holds > 0.5


def test_a_line_that_fails_everywhere_is_told_by_how_its_dials_end() -> None:
    first = _explained(1, bad=Bad()).findings[0]

    assert (first.kind, first.attribute) == ("difference", "ring")
    assert sentence(first, str).startswith(
        "100 % of its dials have ring type normal and never rang; "
        f"{per_cent(first.peer_share or 0)} of its peers' do: z "
    )


def test_a_healthy_line_has_nothing_that_sets_it_apart() -> None:
    runs = 100
    apart = [seed for seed in range(runs) if _explained(seed, count=Random(-seed).choice((40, 100, 300, 600))).findings]

    assert len(apart) <= 0.05 * runs, apart


@pytest.mark.parametrize("bad", [Bad(prefix="62812"), Bad(workflow="wf-b"), Bad(hour=1), Bad()])
def test_what_harms_all_lines_alike_is_no_finding(bad: Bad) -> None:
    for seed in range(5):
        assert _explained(seed, bad=bad, bad_peers=bad).findings == ()


def test_another_mix_of_workflows_is_no_finding() -> None:
    for seed in range(10):
        random = Random(seed)
        here, peers = dials(random, 600, mix=(9, 1, 1)), dials(random, 1800, mix=(1, 1, 9))

        assert compared(here, peers).findings == ()


def test_fewer_than_thirty_dials_tell_nothing() -> None:
    random = Random(3)

    assert _explained(3, count=20, bad=Bad()).findings == ()
    assert compared(dials(random, 300, Bad()), dials(random, 20)).findings == ()


def test_without_peers_only_the_lines_own_segments_are_compared() -> None:
    found = compared(dials(Random(4), 400, Bad(prefix="62812")), Counter())
    first = found.findings[0]

    assert (found.peer_n, first.attribute, first.value) == (0, "caller_prefix", "62812")
    assert (first.peer_share, first.peer_n) == (None, 0)
    assert "peers" not in sentence(first, str)


def test_a_prefix_that_no_peer_has_is_compared_with_all_dials_of_the_peers() -> None:
    random = Random(5)
    peers = Counter({dial._replace(caller_prefix="44770"): count for dial, count in dials(random, 900).items()})
    first = compared(dials(random, 400, Bad(prefix="62812")), peers).findings[0]

    assert (first.value, first.in_segment) == ("62812", False)
    assert first.peer_share is not None
    assert "likewise" not in sentence(first, str)


def test_segments_are_told_by_name_and_clock() -> None:
    by_workflow = _explained(1, bad=Bad(workflow="wf-b")).findings[0]
    by_hour = _explained(1, bad=Bad(hour=1)).findings[0]

    assert shown_value(by_workflow, lambda _: "Check") == "Check"
    assert shown_value(by_hour, str) == "01:00 UTC on 1970-01-01"
    assert "dials for workflow Check fail" in sentence(by_workflow, lambda _: "Check")


@pytest.mark.parametrize("comparisons", [1, 10, 1000])
def test_more_comparisons_need_a_higher_z(comparisons: int) -> None:
    assert least_z(comparisons) == pytest.approx(norm.isf(FALSE_FINDING / comparisons / 2))


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+62 811-1234-5678", "62811"),
        ("08021234567", "08021"),
        ("1234567", "12"),
        ("12345", "short number"),
        ("", "none"),
        (None, "none"),
        ("anonymous", "none"),
        ("٠١٢٣٤٥٦٧٨٩٠", "none"),
    ],
)
def test_a_caller_prefix_hides_at_least_five_digits(number: str | None, prefix: str) -> None:
    assert caller_prefix(number) == prefix


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.004, "0.4 %"),
        (0.0001, "<0.1 %"),
        (0.9985, "99.9 %"),
        (0.99999, ">99.9 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, text: str) -> None:
    assert per_cent(share) == text


def test_a_pane_tells_the_dials_of_each_workflow_by_how_they_ended() -> None:
    counts = {"wf-a": line_workflow(attempts=10, answered=4, delivered=7, failed=2), "wf-b": line_workflow(3, 0)}
    found = dials_of(NOON_MS, counts)

    assert {(dial.workflow, dial.outcome, dial.is_failed): count for dial, count in found.items()} == {
        ("wf-a", "answered", False): 4,
        ("wf-a", "reached, not answered", False): 3,
        ("wf-a", "pre_alert_failure", True): 2,
        ("wf-a", "bad number or unknown", False): 1,
        ("wf-b", "bad number or unknown", False): 3,
    }
    assert {dial.hour for dial in found} == {NOON_MS - NOON_MS % HOUR_MS}


def _prefixes(**failed_of: tuple[int, int]) -> Counter[Dial]:
    """(failed, all) dials from callers of a prefix."""
    found: Counter[Dial] = Counter()
    for prefix, (failed, count) in failed_of.items():
        found[Dial("wf-a", 0, True, caller_prefix=prefix)] += failed
        found[Dial("wf-a", 0, False, caller_prefix=prefix)] += count - failed
    return found


@pytest.mark.parametrize(
    ("here", "peers", "is_found"),
    [
        ({"a": (60, 200), "b": (5, 200)}, {"a": (10, 200), "b": (5, 200)}, True),
        # the peers have too few dials of it to say that they do better
        ({"a": (15, 40), "b": (20, 400)}, {"a": (6, 31), "b": (20, 400)}, False),
        # they surely do better, and by too little to matter
        ({"a": (4000, 20_000), "b": (1000, 20_000)}, {"a": (3400, 20_000), "b": (1000, 20_000)}, False),
    ],
)
def test_a_segment_must_stand_out_among_the_peers_too(
    here: dict[str, tuple[int, int]], peers: dict[str, tuple[int, int]], is_found: bool
) -> None:
    found = compared(_prefixes(**here), _prefixes(**peers))

    assert bool(found.findings) is is_found
