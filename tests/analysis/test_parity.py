from __future__ import annotations

import math

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.analysis.parity import parities
from tests.analysis.handmade import curve, folder_of, record


def test_parity_is_the_difference_in_accuracy_seed_by_seed(tmp_path):
    serial = [record({"seed": seed}, curve=curve((0.9 + 0.01 * seed,))) for seed in range(3)]
    hogwild = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, curve=curve((0.9 + 0.01 * seed - loss,)))
        for seed, loss in enumerate((0.01, 0.02, 0.03))
    ]
    (pool,) = pools(load(folder_of([*serial, *hogwild], tmp_path)))
    (found,) = parities(pool.runs)
    assert found.reference == "serial"
    assert found.difference.estimate == pytest.approx(-0.02)
    assert found.difference.high + 0.02 == pytest.approx(4.302653 * 0.01 / math.sqrt(3), rel=1e-6)


def test_parity_needs_a_serial_run_of_the_problem(tmp_path):
    (pool,) = pools(load(folder_of([record({"strategy": "hogwild", "workers": 2})], tmp_path)))
    assert parities(pool.runs) == []


def test_parity_is_against_serial_training_in_the_same_framework(tmp_path):
    accuracies = {("serial", "torch"): 0.98, ("serial", "tensorflow"): 0.9, ("allreduce", "tensorflow"): 0.91}
    records = [
        record({"strategy": strategy, "framework": framework}, curve=curve((accuracy,)))
        for (strategy, framework), accuracy in accuracies.items()
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = parities(pool.runs)
    assert (found.series, found.reference) == ("allreduce tensorflow", "serial tensorflow")
    assert found.difference.estimate == pytest.approx(0.01)


def test_parity_is_against_the_serial_training_that_is_most_alike(tmp_path):
    cells = {("serial", 1): 0.9, ("serial", 2): 0.95, ("hogwild", 2): 0.94}
    records = [
        record({"strategy": strategy, "epochs": epochs}, curve=curve((accuracy,)))
        for (strategy, epochs), accuracy in cells.items()
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (found,) = parities(pool.runs)
    assert (found.series, found.reference) == ("hogwild", "serial epochs=2")
    assert found.difference.estimate == pytest.approx(-0.01)
