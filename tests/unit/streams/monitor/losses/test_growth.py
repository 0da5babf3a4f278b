"""A counter's growth is told over restarts of its process and of the monitor."""

from __future__ import annotations

import json

from streams.monitor.losses.growth import QUIET_MS, Grown, Growth

KEY = "dead_letters"
GATEWAY, OTHER = "http://a", "http://b"


def looked(*looks: tuple[int, int]) -> Growth:
    growth = Growth()
    for at_ms, value in looks:
        growth.update({GATEWAY: {KEY: value}}, at_ms)
    return growth


def test_what_a_counter_had_at_the_first_look_counts_but_has_no_instant() -> None:
    assert looked((0, 7), (10, 7)).counters[KEY] == Grown(7, {GATEWAY: 7})


def test_an_episode_begins_with_growth_after_an_hour_of_none() -> None:
    growth = looked((0, 0), (10, 2), (20, 5))
    assert growth.counters[KEY] == Grown(5, {GATEWAY: 5}, since_ms=10, last_ms=20)
    growth.update({GATEWAY: {KEY: 6}}, 20 + QUIET_MS)
    assert growth.counters[KEY].since_ms == 10
    growth.update({GATEWAY: {KEY: 7}}, 21 + 2 * QUIET_MS)
    assert growth.counters[KEY] == Grown(7, {GATEWAY: 7}, since_ms=21 + 2 * QUIET_MS, last_ms=21 + 2 * QUIET_MS)


def test_a_process_that_began_again_adds_what_it_has() -> None:
    growth = looked((0, 0), (10, 5), (20, 0), (30, 2))
    assert growth.counters[KEY] == Grown(7, {GATEWAY: 2}, since_ms=10, last_ms=30)
    assert looked((0, 5), (10, 3)).counters[KEY] == Grown(8, {GATEWAY: 3}, since_ms=10, last_ms=10)


def test_an_instance_that_misses_looks_is_not_counted_again_when_it_is_back() -> None:
    growth = Growth()
    first, second = {GATEWAY: {KEY: 100}}, {OTHER: {KEY: 50}}
    for at_ms, look in enumerate((first | second, first, first | second, second, first | second)):
        growth.update(look, at_ms)
    assert growth.counters[KEY] == Grown(150, {GATEWAY: 100, OTHER: 50})
    growth.update({GATEWAY: {KEY: 2}, OTHER: {KEY: 51}}, 10)
    assert (growth.counters[KEY].count, growth.counters[KEY].since_ms) == (153, 10)


def test_the_next_monitor_goes_on() -> None:
    before, after = looked((0, 0), (10, 5)), Growth()
    after.restore(json.loads(json.dumps(before.saved())))
    after.update({GATEWAY: {KEY: 5}}, 30)
    assert after.counters == before.counters
