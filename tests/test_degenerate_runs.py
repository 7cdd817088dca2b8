"""The degenerate cases in float32 on real workloads, through the real launchers.

The collective cells of one size share a launch, by horovodrun; the others have processes of their own.
tests/test_degenerate_cases.py has the same cases in float64.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.launchers.hosts import Host
from harness.records.record import Record
from harness.records.results_folder import ResultsFolder
from harness.registry import STRATEGIES, frameworks_of
from harness.run.runner import Setting, run_cell
from harness.suite.cell import Cell
from tests.command import LIMIT_S

FRAMEWORKS = ("torch", "tensorflow")
# Settings of their own: under others a kink of ReLU or max-pooling may turn rounding into 1e-3 within an epoch.
COMMON: dict[str, Any] = {
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "epochs": 1.0,
    "evaluations": 3,
    "evaluation_spacing": "even",
}
MOMENTUM_0 = {"momentum": 0.0}
LOCAL_SGD = {"name": "local-sgd", "period": 3}
DELTA: dict[str, Any] = {"name": "delayed-averaging", "merge": "delta"}
MIX: dict[str, Any] = {"name": "delayed-averaging", "merge": "mix"}
PULLBACK: dict[str, Any] = {"name": "delayed-averaging", "merge": "pullback"}
COMPRESSED: dict[str, Any] = {"name": "allreduce-compressed"}
PLAIN: dict[str, Any] = {"name": "slow-momentum", "outer_rate": 1.0, "outer_momentum": 0.0}
INDEPENDENT = {"name": "local-sgd", "period": 100_000}
TWO_PASSES = {"name": "allreduce", "backward_passes_per_step": 2}

ALONE = [  # collective strategies that with one worker compute what serial computes
    "allreduce-flat",
    LOCAL_SGD,
    {**DELTA, "period": 3, "delay": 2},
    {**DELTA, "period": 3, "delay": 0},
    {"name": "post-local-sgd", "period": 3, "switch_epoch": 0.5},
    {**PLAIN, "period": 4, "fragments": 2, "delay": 1, "catch_up": "delta"},
]
PAIRS = [  # (strategy, more fields, what it equals, more fields), at two workers
    ("allreduce", {}, "allreduce-flat", {}),
    ({"name": "local-sgd", "period": 1}, MOMENTUM_0, "allreduce-flat", MOMENTUM_0),
    ("gossip", {}, {"name": "local-sgd", "period": 1}, {}),
    ({**COMPRESSED, "compressor": "top-k", "share": 1.0}, {}, "allreduce-flat", {}),
    ({**PLAIN, "outer": "nesterov", "period": 3}, {}, LOCAL_SGD, {}),
    ({**PLAIN, "period": 4, "delay": 2, "keep": 0.25}, {}, {**MIX, "period": 4, "delay": 2, "keep": 0.25}, {}),
    ({**DELTA, "period": 3, "delay": 0}, {}, LOCAL_SGD, {}),
    ({**MIX, "period": 3, "delay": 0, "keep": 0.0}, {}, LOCAL_SGD, {}),
    ({**MIX, "period": 3, "delay": 1, "keep": 1.0}, {}, INDEPENDENT, {}),
    ({**PULLBACK, "period": 3, "pull": 0.0, "anchor_momentum": 0.0}, {}, INDEPENDENT, {}),
    ({"name": "post-local-sgd", "period": 3, "switch_epoch": 0.0}, {}, LOCAL_SGD, {}),
    ({"name": "post-local-sgd", "period": 3, "switch_epoch": 1e9}, {}, "allreduce-flat", {}),
]
COMPRESSORS: list[dict[str, Any]] = [
    {"compressor": "powersgd", "rank": 1},
    {"compressor": "top-k", "share": 0.01},
    {"compressor": "sign"},
]
WORKLOADS = ("fnn", "cnn", "rnn")

# What `hvdbench run` does inside a launch, also in one of a single process, which it takes for none.
RUNS_INSIDE = """
import sys
from pathlib import Path
from harness.records.results_folder import ResultsFolder
from harness.run.existing import run_inside
from harness.suite.suite import Suite
sys.exit(run_inside(Suite.load(Path(sys.argv[1])), ResultsFolder(Path(sys.argv[2]))))
"""

Run = Callable[..., Record]


def cell_of(strategy: Any, framework: str, **fields: Any) -> Cell:
    return Cell.model_validate({"workload": "fnn", **COMMON, "strategy": strategy, "framework": framework, **fields})


def collective_cells(framework: str, workers: int) -> list[Cell]:
    """All that the tests below want of one launch of this size."""
    wanted: list[tuple[Any, dict[str, Any]]] = []
    if workers == 1:
        wanted += [(strategy, {}) for strategy in ("allreduce", *ALONE)]
    else:
        for one, fields, other, other_fields in PAIRS:
            wanted += [(one, fields), (other, other_fields)]
        wanted += [(strategy, {"workload": name}) for name in WORKLOADS for strategy in ("allreduce", "allreduce-flat")]
        wanted += [({**COMPRESSED, **options}, {}) for options in COMPRESSORS]
        wanted.append((TWO_PASSES, {"batch_size": 16}))
    cells = [cell_of(strategy, framework, workers=workers, **fields) for strategy, fields in wanted]
    return list({cell.key: cell for cell in cells}.values())


def launch_together(cells: list[Cell], folder: Path) -> None:
    """One launch for all, as on a cluster whose scheduler owns the launch."""
    suite = folder / "suite.yaml"
    block = [{name: value for name, value in cell.asked().items() if name != "seed"} for cell in cells]
    suite.write_text(yaml.safe_dump({"question": "are these equal?", "matrix": block}))
    workers = cells[0].workers
    horovodrun = [Path(sys.executable).parent / "horovodrun", "-np", workers, "-H", f"localhost:{workers}", "--gloo"]
    done = subprocess.run(
        [str(part) for part in (*horovodrun, sys.executable, "-c", RUNS_INSIDE, suite, folder / "results")],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


class _Watcher:
    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def cell_ended(self, record: Record) -> None: ...


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    """By their keys; of all frameworks, for tests of one may come before and after those of another."""
    return {}


@pytest.fixture
def run(framework: str, records: dict[str, Record], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The record of a cell; each is run once for all tests."""
    hosts = (Host(name="localhost", slots=2),)

    def record_of(strategy: Any, **fields: Any) -> Record:
        cell = cell_of(strategy, framework, **fields)
        if cell.key in records:
            return records[cell.key]
        folder = tmp_path_factory.mktemp("runs")
        if cell.needs.uses_horovod:
            together = collective_cells(framework, cell.workers)
            assert cell.key in {each.key for each in together}, f"{cell.title} is not in collective_cells"
            launch_together(together, folder)
            records.update({record.key: record for record in ResultsFolder(folder / "results").load()})
        else:
            setting = Setting(suite="a", folder=ResultsFolder(folder), hosts=hosts)
            records[cell.key] = run_cell(cell, setting, _Watcher())
        record = records[cell.key]
        assert record.status == "ok", f"{record.reason}\n{record.log_tail}"
        return record

    return record_of


def with_each(*strategies: str) -> pytest.MarkDecorator:
    """Each strategy in each framework that has it."""
    pairs = [(framework, strategy) for strategy in strategies for framework in frameworks_of(STRATEGIES[strategy])]
    return pytest.mark.parametrize(("framework", "strategy"), pairs, indirect=["framework"], scope="module")


def same_bits(one: Record, other: Record) -> None:
    assert one.weights_sha256 is not None
    assert one.weights_sha256 == other.weights_sha256
    assert [(point.step, point.loss, point.score) for point in one.curve] == [
        (point.step, point.loss, point.score) for point in other.curve
    ]


def same_losses(one: Record, other: Record, *, relative: float = 1e-4) -> None:
    assert [point.num_samples for point in one.curve] == [point.num_samples for point in other.curve]
    assert [point.loss for point in one.curve] == pytest.approx([point.loss for point in other.curve], rel=relative)


def test_a_repeated_run_gives_the_same_bits(run: Run, framework: str) -> None:
    """And other data other bits, so that equal hashes mean something."""
    same_bits(run("serial"), run("serial", time_limit_s=601))
    assert run("serial").weights_sha256 != run("serial", seed=1).weights_sha256


@pytest.mark.parametrize(
    "strategy",
    [*ALONE, "hogwild", {"name": "hogwild", "lock": True}, "downpour", {"name": "neuron-wise", "paces": 1}],
    ids=str,
)
def test_one_worker_is_serial_bit_for_bit(run: Run, strategy: Any) -> None:
    same_bits(run(strategy), run("serial"))


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_one_worker_that_shares_its_statistics_with_nobody_is_serial(run: Run, optimizer: str) -> None:
    """To rounding: they are moved by what a step changes, not written."""
    fields = {} if optimizer == "sgd" else {"optimizer": "rmsprop", "momentum": 0.0, "learning_rate": 0.001}
    same_losses(run({"name": "hogwild", "shared_statistics": True}, **fields), run("serial", **fields))


@with_each("hogwild", "torch-hogwild", "ad-psgd", "downpour", "elastic")
def test_workers_that_share_weights_share_out_the_steps_of_one(run: Run, strategy: str) -> None:
    """22 steps of each, together 44, whoever takes them, and where batches are made ahead of time as well."""
    record = run(strategy, workers=2, input="loader" if strategy in ("hogwild", "downpour") else "resident")
    assert sum(window.num_steps for part in record.workers for window in part.windows) == 44
    assert (record.curve[-1].step, record.curve[-1].num_samples) == (22, 44 * 32)


def test_dealt_work_is_as_many_steps_of_a_slowed_worker_too(run: Run) -> None:
    record = run("hogwild", workers=2, work="dealt", slowed={"rank": 1, "factor": 1.5}, wrong_labels=0.3)
    assert [sum(window.num_steps for window in part.windows) for part in record.workers] == [22, 22]
    assert record.cell["slowed"] == {"rank": 1, "factor": 1.5}


def test_centre_without_a_pull_stays_where_it_started(run: Run) -> None:
    record = run({"name": "elastic", "pull": 0.0, "period": 3})
    assert len(record.curve) == 3
    assert len({point.loss for point in record.curve}) == 1


@with_each("allreduce", "torch-ddp", "torch-hogwild", "tf-multiworker", "tf-mirrored", "tf-parameter-server")
def test_one_worker_with_the_frameworks_own_optimizer_is_serial(run: Run, strategy: str) -> None:
    """To rounding: that optimizer multiplies and adds in one operation."""
    same_losses(run(strategy), run("serial"), relative=1e-5)


@with_each("torch-ddp", "tf-multiworker", "tf-mirrored", "tf-parameter-server")
def test_single_worker_of_a_reference_waits_for_nobody(run: Run, strategy: str) -> None:
    (part,) = run(strategy).workers
    waited_s = None if strategy == "tf-parameter-server" else 0.0  # for its weights, which come from a server
    assert {window.exposed_s for window in part.windows} == {waited_s}


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("strategy", ["allreduce", "allreduce-flat"])
def test_two_synchronous_workers_are_one_with_twice_the_batch(run: Run, workload: str, strategy: str) -> None:
    same_losses(run(strategy, workers=2, workload=workload), run("serial", batch_size=64, workload=workload))


@with_each("torch-ddp", "tf-multiworker", "tf-mirrored")
def test_two_workers_of_a_reference_are_one_with_twice_the_batch(run: Run, strategy: str) -> None:
    same_losses(run(strategy, workers=2), run("serial", batch_size=64))


def test_momentum_is_that_of_the_whole_batch(run: Run) -> None:
    """A check of the checks: without momentum the losses are others by far."""
    plain = run("serial", batch_size=64, **MOMENTUM_0).curve[-1].loss
    assert plain > 1.1 * run("serial", batch_size=64).curve[-1].loss


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]} is {pair[2]}")
def test_strategies_meet_at_their_extremes(run: Run, pair: tuple[Any, dict[str, Any], Any, dict[str, Any]]) -> None:
    one, fields, other, other_fields = pair
    same_losses(run(one, workers=2, **fields), run(other, workers=2, **other_fields))


@pytest.mark.parametrize("options", COMPRESSORS, ids=lambda options: options["compressor"])
def test_compressed_gradients_are_a_tenth_and_train(run: Run, options: dict[str, Any]) -> None:
    compressed, flat = run({**COMPRESSED, **options}, workers=2), run("allreduce-flat", workers=2)
    sent, whole = (sum(window.bytes_sent for window in record.workers[0].windows) for record in (compressed, flat))
    assert 0 < sent < 0.1 * whole
    assert compressed.curve[-1].loss < compressed.curve[0].loss


def test_local_and_synchronous_training_are_told_apart(run: Run) -> None:
    local, independent, sync = (run(name, workers=2) for name in (LOCAL_SGD, INDEPENDENT, "allreduce-flat"))
    assert len({round(record.curve[-1].loss, 3) for record in (local, independent, sync)}) == 3


def test_two_passes_of_half_the_batch_are_the_whole_batch(run: Run) -> None:
    """After passes 15, 30 and 45 there are 7, 15 and 22 updates from the samples of as many whole batches.

    Warm-up has an odd number of passes: what it leaves open must not reach the measured run.
    """
    halves, whole = run(TWO_PASSES, workers=2, batch_size=16), run("allreduce", workers=2)
    assert [point.step for point in halves.curve] == [15, 30, 45]
    assert [point.step for point in whole.curve] == [7, 15, 22]
    assert [point.loss for point in halves.curve] == pytest.approx([point.loss for point in whole.curve], rel=1e-4)
