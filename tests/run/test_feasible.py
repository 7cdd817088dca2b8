"""What this machine cannot run is said before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from harness.launchers.hosts import Host
from harness.run import feasible, gpu_support, mpi_support
from harness.run.feasible import cautions, first_obstacle
from harness.suite.cell import Cell
from harness.worker.gpus import parse_gpus
from harness.worker.plan import first_exchange_step, plan_of
from harness.workloads import ACCURACY
from harness.workloads.data import DATA_VARIABLE
from tests.own_strategy import OWN_STRATEGY, write_own_strategy

TWO_SLOTS = (Host(name="localhost", slots=2),)


def cell_of(**fields: object) -> Cell:
    return Cell.model_validate({"workload": "fnn", "strategy": "hogwild", **fields})


def test_what_can_run_has_no_obstacle() -> None:
    assert first_obstacle([cell_of(workers=2), cell_of(strategy="allreduce")], TWO_SLOTS) is None


@pytest.mark.parametrize(
    ("strategy", "first"),
    [
        ({"name": "local-sgd", "period": 46}, 46),
        ({"name": "post-local-sgd", "period": 50, "switch_epoch": 0.0}, 50),
        ({"name": "delayed-averaging", "merge": "mix", "period": 1_000_000}, 1_000_000),
        ({"name": "delayed-averaging", "merge": "pullback", "period": 46}, 46),  # sends at the start what all have
    ],
)
def test_strategy_that_never_communicates_is_named(strategy: dict[str, object], first: int) -> None:
    # Two epochs of 1,437 digits in steps of 2 × 32: 45 of each worker.
    cell = cell_of(strategy=strategy, workers=2, epochs=2.0)
    (said,) = cautions([cell, cell.with_seed(1)])
    assert said == (
        f"{cell.title}: never communicates: its first average is due in step {first}, and a worker takes 45; "
        "only the evaluated mean joins its workers, or groups of them"
    )


@pytest.mark.parametrize(
    ("strategy", "workers", "said"),
    [
        # An epoch is 1,437 / 64: 22 steps keep step.
        (
            {"name": "post-local-sgd", "period": 1_000_000},
            2,
            "does not communicate after step 22 of 45: its next average is due in step 1000000; until the evaluated "
            "mean joins them its workers train apart",
        ),
        ({"name": "post-local-sgd", "period": 1_000_000}, 1, None),
        ({"name": "post-local-sgd", "period": 1_000_000, "switch_epoch": 1.9}, 2, None),  # 3 local steps are a rest
        ({"name": "post-local-sgd", "period": 1_000_000, "switch_epoch": 2.0}, 2, None),  # 1
        (
            {"name": "post-local-sgd", "switch_epoch": 2.5},
            2,
            "is allreduce-flat throughout: it would switch after step 56, and a worker takes 45",
        ),
        ({"name": "post-local-sgd", "switch_epoch": 2.5}, 1, None),
        (
            {"name": "downpour", "fetch_every": 46},
            2,
            "never fetches: its first fetch is due in step 46, and a worker takes 45; its workers train apart, and "
            "only the servers' weights join them",
        ),
        ({"name": "downpour", "fetch_every": 45}, 2, None),
        ({"name": "downpour", "fetch_every": 91}, 1, None),  # it would get what it has pushed
        # A fragment every 4 steps: 11 of 16 by step 44.
        (
            {"name": "slow-momentum", "period": 64, "fragments": 16},
            2,
            "averages 11 of its 16 fragments: the last one's turn is step 64, and a worker takes 45; only the "
            "evaluated mean joins the others",
        ),
    ],
)
def test_strategy_that_leaves_off_communicating_is_named(
    strategy: dict[str, object], workers: int, said: str | None
) -> None:
    cell = cell_of(strategy=strategy, workers=workers, epochs=2.0)
    assert list(cautions([cell])) == ([] if said is None else [f"{cell.title}: {said}"])


def own_strategy(folder: Path, told: str) -> Cell:
    """Of two workers, by a user's class that tells so when they are first to exchange anything."""
    write_own_strategy(folder, told, imports="import math\nimport numpy\n")
    return cell_of(strategy=OWN_STRATEGY, folder=str(folder), workers=2, epochs=2.0)


LAST = 2**63 - 1
WANTED = f"; wanted: the number of a step, from 1 to {LAST}"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("1 / 0", "mine.py, line 6: ZeroDivisionError: division by zero"),
        ("math.inf", f"inf{WANTED}"),
        ("8.0", f"8.0{WANTED}"),
        ("None", f"None{WANTED}"),
        ("0", f"0{WANTED}"),
        ("2**63", f"{2**63}{WANTED}"),
    ],
)
def test_strategy_whose_first_exchange_no_record_can_hold_is_refused(tmp_path: Path, told: str, said: str) -> None:
    cell = own_strategy(tmp_path, told)
    message = f"{cell.title}: strategy: mine.py:Mine: Choices.first_exchange: {said}"
    assert first_obstacle([cell], TWO_SLOTS) == message
    assert list(cautions([cell])) == [message]  # as where its suite is only shown


@pytest.mark.parametrize("told", ["45", "numpy.int64(45)", "2**63 - 1"])
def test_strategy_may_tell_its_first_exchange_by_any_whole_number(tmp_path: Path, told: str) -> None:
    cell = own_strategy(tmp_path, told)
    step = first_exchange_step(cell, plan_of(cell, 1437))
    assert (type(step), step) == (int, LAST if told == "2**63 - 1" else 45)


def test_period_beyond_what_a_record_can_hold_is_refused() -> None:
    said = first_obstacle([cell_of(strategy={"name": "local-sgd", "period": 2**63}, workers=2)], TWO_SLOTS)
    assert str(said).endswith(f"strategy: local-sgd: LocalSGDOptions.first_exchange: {2**63}{WANTED}")


@pytest.mark.parametrize("workers", [1, 2])
def test_centre_that_never_hears_of_its_workers_is_named(workers: int) -> None:
    cell = cell_of(strategy={"name": "elastic", "period": 100}, workers=workers, epochs=2.0)
    assert list(cautions([cell])) == [
        f"{cell.title}: never communicates: its first exchange is due in step 101, and a worker takes {90 // workers}; "
        "the shared model hears of nothing while they train"
    ]


@pytest.mark.parametrize(
    ("workers", "trained"),
    [
        (1, "1,500"),  # 2.87 steps of 500: 3
        (2, "1,000"),  # 1.44 of 1,000: 1
    ],
)
def test_whole_steps_that_train_another_amount_than_was_asked_for_are_named(workers: int, trained: str) -> None:
    cell = cell_of(workers=workers, batch_size=500, epochs=1.0)
    said = f"trains {trained} samples where 1,437 are asked for: its steps take {workers * 500:,} each"
    assert list(cautions([cell])) == ([] if workers == 1 else [f"{cell.title}: {said}"])  # 4 % more, 30 % fewer


def test_strategy_that_is_another_where_it_is_placed_is_named() -> None:
    cell = cell_of(strategy="hogwild-averaging", workers=2)
    assert list(cautions([cell])) == [f"{cell.title}: is hogwild where workers are so placed"]


@pytest.mark.parametrize("workers", [1, 2])
def test_strategy_that_never_updates_its_weights_is_named(workers: int) -> None:
    # Two epochs of 1,437 digits, in steps of 32 of each worker: 90 of one, 45 of each of two.
    steps = 90 // workers
    cell = cell_of(strategy={"name": "allreduce", "backward_passes_per_step": 91}, workers=workers, epochs=2.0)
    assert list(cautions([cell])) == [
        f"{cell.title}: never updates its weights: its first update is due in step 91, and a worker takes {steps}"
    ]


@pytest.mark.parametrize(("every_epochs", "is_said"), [(2.0, True), (1.5, False)])
def test_rate_that_never_falls_is_named(every_epochs: float, is_said: bool) -> None:
    cell = cell_of(epochs=2.0, schedule={"name": "step", "every_epochs": every_epochs})
    said = f"{cell.title}: its rate never falls: schedule.every_epochs is {every_epochs:g}, and it trains 2 epochs"
    assert list(cautions([cell])) == [said] * is_said


@pytest.mark.parametrize(
    ("warm_up", "is_said"),
    [
        ({"warmup_epochs": 2.0, "lr_scaling": "linear", "epochs": 2.0}, True),
        ({"warmup_epochs": 2.0, "warmup_from": "zero", "epochs": 1.0}, True),
        ({"warmup_epochs": 2.0, "schedule": "cosine", "epochs": 2.0}, True),
        ({"warmup_epochs": 2.0, "epochs": 2.0}, False),  # from the rate to the same rate
        ({"warmup_epochs": 1.0, "warmup_from": "zero", "epochs": 2.0}, False),
        ({"epochs": 2.0}, False),
    ],
)
def test_training_that_is_all_warm_up_is_named(warm_up: dict[str, object], is_said: bool) -> None:
    cell = cell_of(strategy="allreduce", workers=2, learning_rate=0.1, batch_per="worker", **warm_up)
    rate = "0.2" if "lr_scaling" in warm_up else "0.1"
    said = (
        f"{cell.title}: is all warm-up: warmup_epochs 2 of {cell.num_epochs:g} epochs; what follows, a rate of "
        f"{rate} and its schedule, never comes"
    )
    assert list(cautions([cell])) == [said] * is_said


@pytest.mark.parametrize(
    ("strategy", "workers"),
    [
        ({"name": "local-sgd", "period": 45}, 2),
        ({"name": "local-sgd", "period": 1_000_000}, 1),
        ({"name": "post-local-sgd", "period": 45}, 2),
        ({"name": "delayed-averaging", "merge": "pullback", "period": 45}, 2),
        ({"name": "slow-momentum", "period": 45, "fragments": 9, "outer_momentum": 0.0}, 2),
        ("allreduce", 2),
        ({"name": "allreduce", "backward_passes_per_step": 45}, 2),
        ("hogwild", 2),
    ],
)
def test_strategy_that_communicates_or_has_nobody_to_needs_no_caution(strategy: object, workers: int) -> None:
    assert list(cautions([cell_of(strategy=strategy, workers=workers, epochs=2.0)])) == []


def test_recipe_that_nobody_has_tried_is_told_once_a_problem() -> None:
    cell = cell_of(workload="resnet18", dataset="cifar-10")
    (said,) = cautions([cell, cell.with_seed(1), cell_of(workload="resnet18", dataset="cifar-10", workers=2)])
    assert said.startswith("resnet18 on cifar-10: its settings are those of github.com/kuangliu/pytorch-cifar after a ")
    assert said.endswith("but for some steps on noise of that shape, and the target of 65 % is a guess")
    assert list(cautions([cell_of(workload="cnn", dataset="cifar-10")])) == []


def test_rate_of_own_optimizers_is_told_once_a_workload() -> None:
    own = {"code": "0" * 16, "metric": ACCURACY, "sample_unit": "row", "num_samples": 64}
    recipe = {"batch_size": 8, "momentum": 0.0, "epochs": 1.0, "optimizer": "own"}
    given = {"workload": "my.py:make", "strategy": "serial", "own": own, "recipe": recipe}
    cells = [
        Cell.model_validate({**given, "learning_rate": rate, "seed": seed}) for rate in (0.1, 0.05) for seed in (0, 1)
    ]
    assert list(cautions(cells)) == [
        "my.py:make: its own optimizer steps at learning_rate 0.05 and 0.1, whatever it is made with"
    ]


def test_outer_steps_too_few_for_their_momentum_are_named() -> None:
    # 20 epochs of 45 / 2 steps: 449 of each worker, 56 averages.
    cell = cell_of(strategy={"name": "slow-momentum", "outer": "nesterov", "period": 8}, workers=2, epochs=20.0)
    (said,) = cautions([cell])
    assert said.startswith(f"{cell.title}: outer_rate 0.7 with outer_momentum 0.9 makes averages' steps up to 7 times")
    assert "training has 56 of them" in said


def test_more_workers_than_slots_are_refused() -> None:
    said = first_obstacle([cell_of(), cell_of(workers=4)], TWO_SLOTS)
    assert said is not None
    assert said.endswith(
        "workers: 4 on localhost; allowed: up to its 2 slots; `hosts` in the suite shares them out, "
        "`hvdbench run -H localhost:4` says that it may take more"
    )


def test_name_of_this_machine_that_nobody_knows_is_named_before_gloo_dies_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "nowhere.invalid")
    said = first_obstacle([cell_of(strategy="allreduce", controller="gloo", workers=2)], TWO_SLOTS)
    assert said is not None
    assert said.endswith(
        "controller: gloo looks up this machine's name, and nowhere.invalid is not known: "
        "echo 127.0.0.1 nowhere.invalid >> /etc/hosts; allowed: mpi"
    )
    elsewhere = (Host(name="node7.invalid", slots=2),)
    assert first_obstacle([cell_of(strategy="allreduce", controller="gloo", workers=2)], elsewhere) is None
    assert first_obstacle([cell_of(strategy="allreduce", controller="mpi", workers=2)], TWO_SLOTS) is None
    assert first_obstacle([cell_of(workers=2)], TWO_SLOTS) is None


def without_mpirun(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    monkeypatch.setattr(mpi_support, "mpirun", lambda: None)
    return "no mpirun beside Python or on the PATH: make setup installs Open MPI, or load a cluster's module"


def with_another_mpi(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """An MPICH of a module, say; Horovod here loads Open MPI."""
    mpirun = folder / "bin" / "mpirun"
    (folder / "lib").mkdir()
    (folder / "lib" / "libmpi.so.12").touch()
    monkeypatch.setattr(mpi_support, "mpirun", lambda: mpirun)
    return (
        f"horovod was built for libmpi.so.40, and {mpirun} comes with libmpi.so.12: load the MPI that it was built with"
    )


def with_horovod_of_gloo_alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    monkeypatch.setattr(mpi_support, "built_with", lambda framework: ("gloo",))
    return "horovod was built without MPI: pip uninstall horovod, load an MPI, hvdbench setup --keep"


def with_an_mpich(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """As that of PyPI answers; Horovod is built for its library."""
    mpirun = folder / "mpirun"
    mpirun.write_text("#!/bin/sh\necho HYDRA build details:\necho '    Version:    4.3.2'\n")
    mpirun.chmod(0o755)
    monkeypatch.setattr(mpi_support, "mpirun", lambda: mpirun)
    return (
        f"{mpirun} does not answer --version with the name of an MPI that horovodrun knows, as some MPICH: take its "
        "own launcher: mpirun -np 2 hvdbench run SUITE"
    )


@pytest.mark.parametrize("change", [without_mpirun, with_another_mpi, with_horovod_of_gloo_alone, with_an_mpich])
def test_mpi_that_horovod_cannot_use_is_refused_unless_others_made_the_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch, Path], str]
) -> None:
    said = change(monkeypatch, tmp_path)
    cell = cell_of(strategy="allreduce", controller="mpi", workers=2)
    assert first_obstacle([cell], TWO_SLOTS) == f"{cell.title}: controller: mpi, but {said}; allowed: gloo"
    assert first_obstacle([cell], None) is None  # srun, say, is not mpirun, and the launch decides what it talks over


def test_framework_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "installed_versions", lambda: {"torch": "2.1.2", "tensorflow-cpu": "2.21.0"})
    cell = cell_of()
    said = f"{cell.title}: framework: torch 2.1.2 is older than 2.3, the oldest that will do: upgrade it"
    assert first_obstacle([cell], TWO_SLOTS) == said
    assert first_obstacle([cell_of(framework="tensorflow")], TWO_SLOTS) is None


def test_horovod_without_the_framework_is_refused_with_what_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "horovod_supports", lambda framework: framework == "torch")
    cell = cell_of(strategy="allreduce", framework="tensorflow", workers=2)
    said = f"{cell.title}: strategy: allreduce needs horovod built for tensorflow: hvdbench setup --keep"
    assert first_obstacle([cell], TWO_SLOTS) == said
    assert first_obstacle([cell_of(strategy="allreduce", workers=2)], TWO_SLOTS) is None


def test_missing_data_set_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    said = first_obstacle([cell_of(dataset="fashion-mnist")], TWO_SLOTS)
    assert said is not None
    assert "dataset: fashion-mnist is not on this machine: apt-get install dataset-fashion-mnist" in said


def test_more_gpus_than_there_are_is_refused() -> None:
    hosts = (Host(name="localhost", slots=999),)
    said = first_obstacle([cell_of(strategy="allreduce", device="gpu", workers=999, batch_size=1)], hosts)
    assert said is not None
    assert "device: gpu with 999 workers on a host; this one has" in said


TWO_GPUS = parse_gpus("GPU-a, 00000000:17:00.0, 575.57, H100\nGPU-b, 00000000:65:00.0, 575.57, H100\n")


def obstacle_with(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, nccl: bool, **fields: object) -> str:
    """Of a cell on a machine of two GPUs, whose PyTorch and Horovod were built so; empty where it can run."""
    monkeypatch.setattr(gpu_support, "present_gpus", lambda: TWO_GPUS)
    monkeypatch.setattr(gpu_support, "is_built_for_cuda", lambda framework: cuda)
    monkeypatch.setattr(gpu_support, "horovod_has_nccl", lambda framework: nccl)
    given = {"strategy": "local-sgd", "device": "gpu", "workers": 2, **fields}
    said = first_obstacle([cell_of(**given)], (Host(name="localhost", slots=4),))
    return "" if said is None else said.partition(": ")[2]


def test_gpus_can_be_used_by_what_is_built_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle_with(monkeypatch, cuda=True, nccl=True) == ""
    assert obstacle_with(monkeypatch, cuda=True, nccl=False, workers=1) == ""


def test_framework_for_the_cpu_alone_is_named_where_there_are_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    said = obstacle_with(monkeypatch, cuda=False, nccl=True, workers=1)
    assert said.startswith("device: gpu, but torch is built for the CPU alone: TORCH_INDEX=")


def test_horovod_without_nccl_is_named_unless_staging_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "horovod is built without NCCL" in obstacle_with(monkeypatch, cuda=True, nccl=False)
    staged = {"name": "local-sgd", "staging": "host"}
    assert obstacle_with(monkeypatch, cuda=True, nccl=False, strategy=staged, workers=4) == ""


def test_hidden_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    said = obstacle_with(monkeypatch, cuda=True, nccl=True)
    assert said == "device: gpu with 2 workers on a host; this one has 1 GPUs, CUDA_VISIBLE_DEVICES hides 1"


@pytest.mark.parametrize("strategy", ["tf-multiworker", "tf-parameter-server"])
def test_cluster_of_tensorflow_is_refused_on_another_machine(strategy: str) -> None:
    cell = cell_of(strategy=strategy, framework="tensorflow", workers=2)
    said = first_obstacle([cell], (Host(name="no.such.host", slots=2),))
    assert said == (
        f"{cell.title}: strategy: {strategy} starts its processes on this machine alone, not on no.such.host; allowed: "
        "this machine first in -H or --hostfile, or --only without it"
    )


def test_going_on_without_a_worker_is_refused_on_another_machine() -> None:
    cell = cell_of(strategy={"name": "downpour", "lost_workers": "go-on"}, workers=2)
    assert first_obstacle([cell], TWO_SLOTS) is None
    assert first_obstacle([cell], (Host(name="no.such.host", slots=2),)) == (
        f"{cell.title}: options.lost_workers: go-on on no.such.host, where horovodrun ends all workers with the first "
        "that dies; allowed: end, or this machine first in -H or --hostfile"
    )


def test_encryption_is_refused_between_machines_whose_zeromq_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "has", lambda capability: False)
    hosts = (Host(name="localhost", slots=2), Host(name="no.such.host", slots=2))
    encrypted, clear = (
        cell_of(strategy={"name": "downpour", "server_encryption": each}, workers=2, hosts=2)
        for each in ("curve", "none")
    )
    assert first_obstacle([cell_of(strategy="downpour", workers=2), clear], hosts) is None  # a socket needs none
    assert first_obstacle([encrypted], hosts) == (
        f"{encrypted.title}: options.server_encryption: curve, without which ZeroMQ was built here: pyzmq from PyPI "
        "has it; allowed: none, where the network is trusted"
    )


def test_gpus_of_another_machine_are_not_looked_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_support, "present_gpus", tuple)
    monkeypatch.setattr(gpu_support, "is_built_for_cuda", lambda framework: True)
    cell = cell_of(strategy="serial", device="gpu")
    assert "this one has 0 GPUs" in str(first_obstacle([cell], TWO_SLOTS))
    assert first_obstacle([cell], (Host(name="no.such.host", slots=2),)) is None
