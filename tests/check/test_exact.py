from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.check.exact import StageDesign, holm, interval, shift, smallest_caught, walsh_averages, worse_p

DISTINCT = st.lists(st.integers(1, 10_000), min_size=4, max_size=14, unique=True)
SCREEN = StageDesign(num_pairs=8, level=0.10, least_shift=0.015)
CONFIRM = StageDesign(num_pairs=16, level=0.05, least_shift=0.03)


def test_worse_p_of_eight_positive_differences_is_one_in_256() -> None:
    assert worse_p(np.arange(1.0, 9.0)) == 1 / 256


def test_worse_p_of_eight_negative_differences_is_one() -> None:
    assert worse_p(-np.arange(1.0, 9.0)) == 1.0


@given(magnitudes=DISTINCT, data=st.data())
def test_worse_p_without_ties_equals_scipys_exact_wilcoxon(magnitudes: list[int], data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(magnitudes), max_size=len(magnitudes)))
    differences = np.array(magnitudes, dtype=float) * signs
    expected = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
    assert worse_p(differences) == pytest.approx(expected, abs=1e-12)


@given(differences=st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_worse_p_with_ties_and_zeros_counts_all_signs(differences: list[int]) -> None:
    values = np.array(differences, dtype=float)
    ranks = stats.rankdata(np.abs(values)) * (values != 0)
    observed = ranks[values > 0].sum()
    sums = [np.dot(ranks, signs) for signs in itertools.product([0, 1], repeat=len(values))]
    assert worse_p(values) == pytest.approx(np.mean(np.array(sums) >= observed - 1e-9), abs=1e-12)


def test_worse_p_of_zeros_alone_is_one() -> None:
    assert worse_p(np.zeros(8)) == 1.0


def test_worse_p_with_infinite_differences_ranks_them_last() -> None:
    # Five runs that no longer reach the target, three unchanged: the chance of five equal signs, 1/32.
    assert worse_p(np.array([np.inf] * 5 + [0.0] * 3)) == 1 / 32


@given(DISTINCT, st.floats(-100, 100))
def test_shift_moves_with_the_data(values: Any, added: float) -> None:
    differences = np.array(values, dtype=float)
    assert shift(differences + added) == pytest.approx(shift(differences) + added, abs=1e-6)


@given(DISTINCT)
def test_shift_of_mirrored_data_is_mirrored(values: Any) -> None:
    differences = np.array(values, dtype=float)
    assert shift(-differences) == pytest.approx(-shift(differences))


def test_shift_of_three_differences_is_the_median_of_six_averages() -> None:
    # 1, 2, 6 average pairwise to 1, 1.5, 2, 3.5, 4, 6; the median lies between 2 and 3.5.
    assert list(walsh_averages(np.array([1.0, 2.0, 6.0]))) == [1.0, 1.5, 2.0, 3.5, 4.0, 6.0]
    assert shift(np.array([1.0, 2.0, 6.0])) == 2.75


def test_shift_with_as_many_infinities_of_either_sign_is_zero() -> None:
    assert shift(np.array([np.inf, -np.inf, 0.0])) == 0.0


def test_interval_of_eight_pairs_drops_three_averages_at_either_end() -> None:
    # Hollander and Wolfe, table A.4: n = 8, P(W ≥ 33) = .020, so 36 − 33 = 3 averages lie outside at either end.
    differences = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0])
    averages = walsh_averages(differences)
    assert interval(differences) == (averages[3], averages[-4])


def test_interval_of_three_pairs_is_infinite() -> None:
    assert interval(np.array([1.0, 2.0, 3.0])) == (-np.inf, np.inf)


def test_interval_covers_zero_in_95_percent_of_unchanged_samples() -> None:
    rng = np.random.default_rng(1)
    covered = [low <= 0 <= high for low, high in (interval(rng.standard_t(3, 8)) for _ in range(4000))]
    assert 0.94 < np.mean(covered) < 0.98  # 1 − 2 · 0.0195


def test_smallest_caught_is_caught_in_80_percent_of_repetitions() -> None:
    rng = np.random.default_rng(2)
    sd = 0.05
    claimed = np.median([smallest_caught(rng.normal(0, sd, 8), [SCREEN, CONFIRM]) for _ in range(200)])
    caught = 0
    for _ in range(2000):
        first, second = rng.normal(claimed, sd, 8), rng.normal(claimed, sd, 16)
        caught += (worse_p(first) <= 0.10 and shift(first) > 0.015) and (
            worse_p(second) <= 0.05 and shift(second) > 0.03
        )
    assert caught / 2000 == pytest.approx(0.80, abs=0.07)


def test_smallest_caught_without_noise_is_the_gate() -> None:
    assert smallest_caught(np.full(8, 0.2), [SCREEN, CONFIRM]) == pytest.approx(0.03)


def test_smallest_caught_of_a_screen_that_a_large_shift_passes_whatever_its_p() -> None:
    noise = np.random.default_rng(4).normal(0, 0.05, 8)
    strict = smallest_caught(noise, [SCREEN])
    assert smallest_caught(noise, [replace(SCREEN, enough_shift=0.015)]) < strict


def test_smallest_caught_with_too_few_pairs_is_infinite() -> None:
    assert smallest_caught(np.array([0.1]), [SCREEN, CONFIRM]) == float("inf")
    assert smallest_caught(np.ones(8), [StageDesign(num_pairs=3, level=0.05, least_shift=0.0)]) == float("inf")


def test_smallest_caught_beside_a_pair_that_b_never_finished_is_infinite() -> None:
    unchanged = np.zeros(7)
    assert smallest_caught(np.append(unchanged, np.inf), [SCREEN, CONFIRM]) == float("inf")
    assert smallest_caught(np.append(unchanged, -np.inf), [SCREEN, CONFIRM]) == pytest.approx(0.03)


def test_smallest_caught_counts_pairs_in_which_neither_arm_got_there_as_telling_nothing() -> None:
    """Of one in eight the gate still shows, since few of the averages have such a pair; of a half most have one, and no
    shift would do."""
    assert smallest_caught(np.full(7, 0.2), [SCREEN, CONFIRM], share_untold=1 / 8) == pytest.approx(0.03)
    assert smallest_caught(np.full(4, 0.2), [SCREEN, CONFIRM], share_untold=1 / 2) == float("inf")


def test_smallest_caught_beside_untold_pairs_is_caught_in_80_percent_of_repetitions() -> None:
    rng = np.random.default_rng(5)
    sd, share = 0.05, 0.15
    claimed = np.median(
        [smallest_caught(rng.normal(0, sd, 8), [SCREEN, CONFIRM], share_untold=share) for _ in range(50)]
    )

    def stage(num_pairs: int, level: float, least: float) -> bool:
        told = rng.random(num_pairs) >= share
        differences = np.where(told, rng.normal(claimed, sd, num_pairs), 0.0)
        return worse_p(differences) <= level and shift(np.where(told, differences, -np.inf)) > least

    caught = sum(stage(8, 0.10, 0.015) and stage(16, 0.05, 0.03) for _ in range(1000))
    assert caught / 1000 == pytest.approx(0.80, abs=0.07)


def test_holm_multiplies_by_the_number_still_standing() -> None:
    # Sorted .01, .02, .04: 3 · .01, 2 · .02, 1 · .04, never below the one before.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


def test_holm_with_weights_gives_more_of_the_error_to_what_weighs_more() -> None:
    # By p/w: .02/4, .01/1, .04/1. The first has 4/6 of the error, the second half of what is left, the third all.
    assert holm([0.01, 0.02, 0.04], [1.0, 4.0, 1.0]) == pytest.approx([0.03, 0.03, 0.04])
    # .01 with 3 of 4 shares of the error, then the other with all of it, but never below the one before.
    assert holm([0.01, 0.01], [1.0, 3.0]) == pytest.approx([0.04 / 3, 0.04 / 3])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_nor_leaves_the_unit_interval(p_values: list[float]) -> None:
    assert all(before <= after <= 1 for before, after in zip(p_values, holm(p_values), strict=True))
