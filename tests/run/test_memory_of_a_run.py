"""What a real launch says of its memory."""

from __future__ import annotations

from pathlib import Path

from harness.records import memory
from harness.records.results_folder import ResultsFolder
from tests.command import hvdbench, write_suite

PARAMETERS = 50_826  # of the FNN on digits


def test_a_run_tells_apart_what_was_made_what_training_takes_and_what_measuring_keeps(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: local-sgd, workers: 2, epochs: 2}")
    code, output, errors = hvdbench("run", suite, "--results", tmp_path / "r")
    assert code == 0, output + errors
    (record,) = ResultsFolder(tmp_path / "r").load()
    for part in record.workers:
        assert part.made_rss_bytes is not None
        assert part.start_rss_bytes is not None
        assert part.peak_rss_bytes is not None
        assert 2**20 < part.made_rss_bytes < part.peak_rss_bytes + 2**20
        num_copies = len(part.snapshots_s) + 2 * len(part.merges or []) + len(part.drift or [])
        room_left = 2  # of the five merges that may be watched four came
        assert part.measuring_bytes == (num_copies + room_left) * 4 * PARAMETERS
        assert part.tensor_bytes == 3 * 4 * PARAMETERS  # weights, gradient, momentum
    grown = memory.grown_bytes(record)
    assert 0 <= grown < sum(part.made_rss_bytes or 0 for part in record.workers)
