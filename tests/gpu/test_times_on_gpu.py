"""What the device's events say adds up to what the host's clock says."""

from __future__ import annotations

import pytest

from harness.records.record import Record
from tests.gpu.launched import in_words, launched

pytestmark = pytest.mark.gpu

IMAGES = {"name": "synthetic", "num_samples": 256, "size": 224, "channels": 3, "num_classes": 10}
RESNET18 = {"workload": "resnet18", "dataset": IMAGES, "batch_size": 64, "epochs": 10, "evaluations": 4}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    (made,) = launched(tmp_path_factory.mktemp("times"), {**RESNET18, "strategy": "serial", "device": "gpu"})
    assert in_words(made) == ""
    return made


def test_windows_add_up_to_training(record: Record) -> None:
    (worker,) = record.workers
    lengths_s = sum(window.end_s - window.start_s for window in worker.windows)
    assert lengths_s == pytest.approx(worker.train_s, rel=0.02)


def test_time_on_the_device_is_that_of_the_host(record: Record) -> None:
    """The last weights are copied right after the last step, at a moment that the device tells."""
    (worker,) = record.workers
    print(f"last copy at {worker.snapshots_s[-1]:.4f} s by the device, training ends at {worker.train_s:.4f} s")
    assert worker.snapshots_s[-1] == pytest.approx(worker.train_s, rel=0.02)


def test_where_the_time_goes_is_within_its_windows(record: Record) -> None:
    """What computing takes is the rest, so no phase may take more than there is. Alone, nobody is waited for."""
    (worker,) = record.workers
    for window in worker.windows:
        assert 0 <= window.loader_s <= 0.1 * (window.end_s - window.start_s)  # a gather from the device's memory
        assert window.exposed_s == 0
        assert window.step_p50_s * window.num_steps <= 1.5 * (window.end_s - window.start_s)
