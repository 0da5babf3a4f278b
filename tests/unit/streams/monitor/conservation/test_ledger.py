"""A difference is what is lost: not what is on its way, and not where counters began."""

from __future__ import annotations

import json
from random import Random

import pytest

from streams.monitor.conservation.ledger import Difference, Ledger
from streams.monitor.conservation.problems import conservation_problems
from streams.monitor.conservation.steps import StepName, Term


class Looks:
    """A ledger, and looks at one step every five seconds."""

    def __init__(self, step: StepName = "handled", ledger: Ledger | None = None) -> None:
        self.step, self.ledger, self.at_ms = step, ledger or Ledger(), 0

    def __call__(self, upstream: int, downstream: int, waiting: int = 0, epoch: str = "e", why: str = "") -> Difference:
        self.at_ms += 5_000
        term = Term(upstream, downstream, waiting, epoch, (), why)
        [found] = self.ledger.update({self.step: term}, self.at_ms)
        return found


def test_what_began_at_different_numbers_is_balanced_as_long_as_both_grow_alike() -> None:
    look = Looks()
    look(1000, 50)
    assert (look(1000, 50).value, look(1000, 50).is_exact) == (0, True)
    look(1100, 150)
    found = look(1100, 150)
    assert (found.value, found.is_exact) == (0, True)


def test_a_single_loss_is_exact_at_rest() -> None:
    look = Looks()
    look(1000, 50)
    look(1000, 50)
    look(1100, 149)
    assert look(1100, 149).value == 1


@pytest.mark.parametrize("rate", [6, 1000])
def test_busy_traffic_is_balanced_and_a_real_loss_among_it_is_found(rate: int) -> None:
    """Samples differ by what is on its way, up to two seconds of it; then a tenth of everything is lost."""
    random, look = Random(7), Looks()
    upstream = lost = 0
    for number in range(200):
        upstream += 5 * rate
        lost += rate // 2 if number >= 100 else 0
        found = look(upstream, upstream - lost - random.randint(0, 2 * rate))
        assert not found.is_exact
        if number < 100:
            assert found.value == 0
    assert (found.value or 0) > lost / 3


def test_a_backlog_is_no_loss() -> None:
    look = Looks()
    look(1000, 1000)
    look(1000, 1000)
    for number in range(50):
        found = look(1000 + 100 * number, 1000 + 50 * number, waiting=50 * number)
        assert found.value == 0


def test_imports_and_repeats_hide_no_later_loss() -> None:
    look = Looks()
    look(100, 100)
    look(100, 100)
    look(100, 140)
    assert look(100, 140).value == 0
    look(150, 189)
    assert look(150, 189).value == 1


def test_a_restart_begins_anew_and_says_when() -> None:
    look = Looks()
    look(100, 100)
    look(100, 98, epoch="other")
    found = look(100, 98, epoch="other")
    assert (found.value, found.since_ms) == (0, 10_000)
    look(100, 50, epoch="other")
    found = look(100, 50, epoch="other")
    assert (found.value, found.since_ms) == (0, 20_000), "a counter that goes down began anew"


def test_what_is_not_known_is_none_and_not_zero() -> None:
    look = Looks()
    look(100, 100)
    found = look(0, 0, why="the worker did not answer")
    assert (found.value, found.why, found.is_exact) == (None, "the worker did not answer", False)
    look(100, 99)
    assert look(100, 99).value == 1, "the constant holds over what was not known"


def test_requests_of_one_process_have_no_constant() -> None:
    look = Looks("requests")
    look(10, 12)
    assert look(10, 12).value == -2
    look(15, 12)
    assert look(15, 12).value == 3


def test_another_monitor_goes_on_where_this_one_ended() -> None:
    look = Looks()
    look(100, 90)
    look(100, 90)
    after = Ledger()
    after.restore(json.loads(json.dumps(look.ledger.saved())))
    again = Looks(ledger=after)
    again(200, 187)
    assert again(200, 187).value == 3
    other = Ledger()
    other.restore(json.loads(json.dumps(look.ledger.saved())))
    again = Looks(ledger=other)
    again(200, 187, epoch="other")
    assert again(200, 187, epoch="other").value == 0


def test_only_a_difference_is_a_problem_and_it_must_last() -> None:
    term = Term(5, 3)
    differences = [
        Difference("handled", term, 2),
        Difference("stored", term, 0),
        Difference("counted", term, None, why="?"),
        Difference("requests", term, -1),
    ]
    lost, twice = conservation_problems(differences)
    assert (lost.state, lost.what) == ("broken", "conservation is broken: handled")
    assert "2 callbacks are not accounted for" in lost.evidence
    assert "1 too many" in twice.evidence
    assert lost.lasting_s >= 60
