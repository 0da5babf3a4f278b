"""Our statistics against scipy's and statsmodels'; what they mean, on cases that a person can follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binomtest, median_abs_deviation, norm
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from streams.rules.kpis import wilson
from streams.rules.proportions import Stratum, chance_below, compare, median, spread, two_proportion_z

SEED = 16


def pairs(count: int, most: int) -> Iterator[tuple[int, int]]:
    """(successes, n), chosen by chance and the same in each run."""
    chance = np.random.default_rng(SEED + most)
    for _ in range(count):
        n = int(chance.integers(1, most))
        yield int(chance.integers(0, n + 1)), n


@pytest.mark.parametrize("most", [5, 300, 100_000])
def test_the_interval_is_scipys_and_statsmodels(most: int) -> None:
    for successes, n in pairs(50, most):
        known = binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")

        assert wilson(successes, n) == pytest.approx((known.low, known.high), abs=1e-9)
        assert wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-9)


@pytest.mark.parametrize("most", [30, 5000])
def test_the_z_of_two_proportions_is_statsmodels(most: int) -> None:
    for (hits, n), (control_hits, control_n) in zip(pairs(60, most), pairs(60, most + 7), strict=True):
        if not 0 < hits + control_hits < n + control_n:
            continue
        known, _ = proportions_ztest([hits, control_hits], [n, control_n])

        assert two_proportion_z(hits, n, control_hits, control_n) == pytest.approx(known, abs=1e-9)


@pytest.mark.parametrize("strata", [1, 2, 7])
def test_the_stratified_z_is_mantels_and_haenszels_of_statsmodels(strata: int) -> None:
    chosen = pairs(400, 900)
    for _ in range(20):
        rows = [Stratum(*next(chosen), *next(chosen)) for _ in range(strata)]
        tables = [
            np.array(
                [[row.successes, row.n - row.successes], [row.control_successes, row.control_n - row.control_successes]]
            )
            for row in rows
        ]
        known = StratifiedTable(tables).test_null_odds(correction=True).statistic

        assert compare(rows).z ** 2 == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize("strata", [1, 3])
def test_the_stratified_z_of_large_samples_of_one_stratum_is_that_of_two_proportions(strata: int) -> None:
    row = Stratum(36_000, 60_000, 130_000, 200_000)

    assert compare([row]).z == pytest.approx(two_proportion_z(*row), rel=1e-3)
    assert compare([row] * strata).z == pytest.approx(strata**0.5 * two_proportion_z(*row), rel=1e-3)


@pytest.mark.parametrize("z", [-8.0, -4.5, -1.0, 0.0, 2.0])
def test_the_chance_of_a_z_is_scipys(z: float) -> None:
    assert chance_below(z) == pytest.approx(norm.cdf(z), rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 9, 40])
def test_median_and_spread_are_scipys(size: int) -> None:
    values = np.random.default_rng(SEED).normal(0.8, 0.1, size)

    assert median(values) == pytest.approx(np.median(values))
    assert spread(values, median(values)) == pytest.approx(median_abs_deviation(values, scale="normal"), rel=1e-4)


def test_a_line_with_the_harder_workflow_is_not_blamed_for_it() -> None:
    """It reaches 50 % in a hard workflow and 90 % in an easy one, as all do, and serves the hard one most."""
    hard, easy = Stratum(450, 900, 50, 100), Stratum(90, 100, 810, 900)

    assert compare([hard, easy]).z == pytest.approx(0)
    assert compare([hard, easy]).relative == pytest.approx(0)
    assert two_proportion_z(540, 1000, 860, 1000) < -15  # what a comparison without workflows would say


def test_a_stratum_without_a_control_says_nothing() -> None:
    alone = Stratum(0, 500, 0, 0)

    assert compare([alone]) == compare([])
    assert compare([alone, Stratum(40, 50, 80, 100)]).n == 50


def test_a_line_that_lost_six_of_ten_dials_is_60_percent_below_and_far_off() -> None:
    found = compare([Stratum(72, 200, 540, 600)])

    assert found.relative == pytest.approx(-0.6)
    assert found.z < -15


def test_no_samples_are_no_difference() -> None:
    assert compare([]).z == compare([]).relative == two_proportion_z(0, 0, 5, 9) == 0


def test_equal_shares_without_variance_are_no_difference() -> None:
    assert compare([Stratum(50, 50, 90, 90)]).z == two_proportion_z(50, 50, 90, 90) == 0


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match="no values"):
        median([])
