"""Which runs may be held against one another."""

from __future__ import annotations

from harness.analysis import load
from harness.analysis.comparable import pools, why_split
from harness.analysis.contests import contests
from harness.analysis.quality import quality_differences
from tests.analysis.handmade import MACHINE, failed, folder_of, loaded, record


def test_pools_keep_machines_apart_and_say_so(tmp_path):
    other = MACHINE.model_copy(update={"fingerprint": "bbbbbbbbbbbb"})
    runs = loaded(tmp_path, record(), record({"seed": 1}), record(machine=other))
    assert [len(pool.runs) for pool in pools(runs)] == [2, 1]
    assert "different machines (aaaaaaaaaaaa, bbbbbbbbbbbb)" in why_split(runs)


def test_pools_keep_versions_apart_and_say_so(tmp_path):
    runs = loaded(tmp_path, record(), record(versions={"torch": "2.14.0", "horovod": "0.28.1"}))
    assert [len(pool.runs) for pool in pools(runs)] == [1, 1]
    assert "torch=2.14.0" in why_split(runs)


def test_pools_keep_series_of_python_apart_and_their_releases_together(tmp_path):
    """A step of a small model is mostly Python."""
    of = [MACHINE.model_copy(update={"system": f"Linux 6, Python {python}"}) for python in ("3.11.7", "3.11.9", "3.13")]
    runs = loaded(tmp_path, *(record({"seed": seed}, machine=machine) for seed, machine in enumerate(of)))
    parts = pools(runs)
    assert [(pool.name, len(pool.runs)) for pool in parts] == [
        ("Abacus 9, 4 cores [Python 3.11]", 2),
        ("Abacus 9, 4 cores [Python 3.13]", 1),
    ]
    assert "different versions of Python (3.11, 3.13)" in why_split(runs)


def test_pools_name_a_python_that_records_do_not_tell(tmp_path):
    of = [MACHINE.model_copy(update={"system": system}) for system in ("Linux 6, Python 3.11.7", "Linux 6")]
    runs = loaded(tmp_path, *(record({"seed": seed}, machine=machine) for seed, machine in enumerate(of)))
    assert [pool.name for pool in pools(runs)] == [
        "Abacus 9, 4 cores [Python 3.11]",
        "Abacus 9, 4 cores [Python not told]",
    ]
    assert why_split(runs).endswith(": different versions of Python (3.11, not told).")


def test_pools_keep_settings_apart_and_say_which(tmp_path):
    slow = {"settings": {"MALLOC_ARENA_MAX": "1"}}
    runs = loaded(tmp_path, record(), record({"seed": 1}), record(**slow))
    parts = pools(runs)
    assert [len(pool.runs) for pool in parts] == [2, 1]
    assert [pool.name for pool in parts] == [
        "Abacus 9, 4 cores [none of them set]",
        "Abacus 9, 4 cores [MALLOC_ARENA_MAX=1]",
    ]
    assert "different settings of the environment (MALLOC_ARENA_MAX=1, none of them set)" in why_split(runs)


def test_pools_of_horovods_settings_share_the_runs_that_those_do_not_reach(tmp_path):
    """A change of HOROVOD_CYCLE_TIME leaves one worker alone as it was: both settings are held against it."""
    averaged = {"strategy": "allreduce", "workers": 2}
    slow = record({**averaged, "seed": 1}, settings={"HOROVOD_CYCLE_TIME": "50"})
    runs = loaded(tmp_path, record(), record(averaged), slow)
    parts = pools(runs)
    assert [sorted(pool.runs["label"]) for pool in parts] == [["allreduce", "serial"]] * 2
    assert sorted(pool.name.partition(" [")[2] for pool in parts) == ["HOROVOD_CYCLE_TIME=50]", "none of them set]"]
    assert "different settings of Horovod's launches (HOROVOD_CYCLE_TIME=50, none of them set)" in why_split(runs)
    (alone,) = pools(loaded(tmp_path / "alone", record(), slow))
    assert len(alone.runs) == 2


def test_pools_of_mpis_settings_share_the_runs_that_are_not_over_it(tmp_path):
    """UCX_TLS, and which MPI it is, leave Gloo as it was, whatever older records say of it."""
    averaged = {"strategy": "allreduce", "workers": 2}
    gloo = record({**averaged, "seed": 1}, settings={"UCX_TLS": "tcp"})
    ours, another = ({"mpi": "mpirun (Open MPI) 4.1.4", **more} for more in ({}, {"UCX_TLS": "tcp"}))
    over_mpi = [record({**averaged, "controller": "mpi"}, settings=settings) for settings in (ours, another)]
    (alone,) = pools(loaded(tmp_path / "gloo", record(averaged), gloo))
    assert len(alone.runs) == 2
    (both,) = pools(loaded(tmp_path / "both", record(averaged), gloo, over_mpi[0]))
    assert sorted(both.runs["controller"]) == ["gloo", "gloo", "mpi"]
    runs = loaded(tmp_path / "all", record(), record(averaged), gloo, *over_mpi)
    assert [sorted(pool.runs["controller"].fillna("none")) for pool in pools(runs)] == [
        ["gloo", "gloo", "mpi", "none"],
        ["gloo", "gloo", "mpi", "none"],
    ]
    assert "different settings of MPI (UCX_TLS=tcp, mpi=mpirun (Open MPI) 4.1.4, mpi=mpirun" in why_split(runs)
    on_gpus = [record({**averaged, "device": "gpu"}, settings=settings) for settings in ({}, {"UCX_TLS": "tcp"})]
    assert len(pools(loaded(tmp_path / "gpu", *on_gpus))) == 2


def test_pools_of_gpu_drivers_share_the_runs_on_cpus(tmp_path):
    """No CPU is slower by the driver of GPUs that lie idle, whatever older records say of it."""
    old, new = ({"versions": {"torch": "2.13.0", "nvidia-driver": driver}} for driver in ("570.1", "580.2"))
    none = {"versions": {"torch": "2.13.0"}}
    on_cpu = [record({"seed": seed}, **versions) for seed, versions in enumerate((old, new, none))]
    (alone,) = pools(loaded(tmp_path / "cpu", *on_cpu))
    assert len(alone.runs) == 3
    on_gpu = [record({"device": "gpu", "seed": seed}, **versions) for seed, versions in enumerate((old, new, new))]
    runs = loaded(tmp_path / "both", *on_cpu[:2], *on_gpu)
    assert [(pool.name, sorted(pool.runs["device"])) for pool in pools(runs)] == [
        ("Abacus 9, 4 cores [driver 580.2]", ["cpu", "cpu", "gpu", "gpu"]),
        ("Abacus 9, 4 cores [driver 570.1]", ["cpu", "cpu", "gpu"]),
    ]
    assert why_split(runs).endswith(": different drivers of the GPUs (570.1, 580.2).")
    untold = loaded(tmp_path / "untold", on_gpu[0], record({"device": "gpu"}, **none))
    assert "different drivers of the GPUs (570.1, not told)" in why_split(untold)


def test_driver_of_gpus_is_that_of_the_machine_which_trained(tmp_path):
    """Launched from machines with another one, or without GPUs."""
    records = []
    for seed, (here, there) in enumerate([("570.1", "580.2"), ("580.2", "580.2"), (None, "580.2"), ("580.2", "570.1")]):
        made = record({"device": "gpu", "seed": seed}, versions={"nvidia-driver": here} if here else {})
        parts = [part.model_copy(update={"settings": {"driver": there}}) for part in made.workers]
        records.append(made.model_copy(update={"workers": parts}))
    assert [(pool.name, len(pool.runs)) for pool in pools(loaded(tmp_path, *records))] == [
        ("Abacus 9, 4 cores [driver 580.2]", 3),
        ("Abacus 9, 4 cores [driver 570.1]", 1),
    ]


def told(settings, fields, **changes):
    """A record whose workers tell these settings."""
    made = record(fields, **changes)
    parts = [part.model_copy(update={"settings": settings}) for part in made.workers]
    return made.model_copy(update={"workers": parts})


def test_pools_of_libraries_of_gpus_share_the_runs_on_cpus(tmp_path):
    """NCCL and cuDNN as pip has them, told by no worker."""
    old, new = ({"torch": "2.13.0", "nvidia-nccl-cu12": nccl} for nccl in ("2.27.5", "2.28.3"))
    on_cpu = [record({"seed": seed}, versions=versions) for seed, versions in enumerate((old, new))]
    (alone,) = pools(loaded(tmp_path / "cpu", *on_cpu))
    assert len(alone.runs) == 2
    on_gpu = [
        record({"device": "gpu", "seed": seed}, versions=versions) for seed, versions in enumerate((old, new, new))
    ]
    runs = loaded(tmp_path / "both", *on_cpu, *on_gpu)
    assert [(pool.name, sorted(pool.runs["device"])) for pool in pools(runs)] == [
        ("Abacus 9, 4 cores [nvidia-nccl-cu12=2.28.3]", ["cpu", "cpu", "gpu", "gpu"]),
        ("Abacus 9, 4 cores [nvidia-nccl-cu12=2.27.5]", ["cpu", "cpu", "gpu"]),
    ]
    assert why_split(runs).endswith(
        ": different NCCL or cuDNN beside the frameworks (nvidia-nccl-cu12=2.27.5, nvidia-nccl-cu12=2.28.3)."
    )


def test_pools_of_the_nccl_that_horovod_has_share_what_does_not_use_it_or_crashed(tmp_path):
    averaged = {"strategy": "allreduce", "workers": 2, "device": "gpu"}
    old, new = (
        told({"horovod.nccl": nccl}, averaged | {"seed": seed}) for seed, nccl in enumerate(("2.27.3", "2.28.3"))
    )
    ddp, crashed = (
        record({"strategy": "torch-ddp", "workers": 2, "device": "gpu"}),
        failed(averaged | {"seed": 2}, workers=[]),
    )
    parts = pools(loaded(tmp_path, old, new, ddp, crashed))
    assert sorted(pool.name for pool in parts) == [
        "Abacus 9, 4 cores [Horovod's NCCL 2.27.3]",
        "Abacus 9, 4 cores [Horovod's NCCL 2.28.3]",
    ]
    assert [(sorted(pool.runs["label"]), len(pool.failed)) for pool in parts] == [(["allreduce", "torch-ddp"], 1)] * 2
    (older,) = pools(loaded(tmp_path / "older", record(averaged), record(averaged | {"seed": 1}), crashed))
    assert len(older.launches) == 3


def test_pools_of_pytorchs_libraries_share_the_runs_of_tensorflow(tmp_path):
    """Conda's are none of pip's packages. TensorFlow tells of cuDNN what it was built for, in other words."""
    fields = {"device": "gpu", "framework": "torch"}
    old, new = (told({"cudnn": cudnn, "torch.nccl": "2.27.3"}, fields) for cudnn in ("9.10.2", "9.12.0"))
    other = told({"cudnn": "9"}, fields | {"framework": "tensorflow"})
    parts = pools(loaded(tmp_path, old, new, other))
    assert [len(pool.runs) for pool in parts] == [2, 2]
    assert "different NCCL or cuDNN of PyTorch (cudnn=9.10.2, torch.nccl=2.27.3, cudnn=9.12.0" in why_split(
        loaded(tmp_path / "said", old, new, other)
    )


def test_pools_of_the_mpi_that_horovod_is_built_for_share_the_runs_that_are_not_over_it(tmp_path):
    averaged = {"strategy": "allreduce", "workers": 2}
    builds = [["gloo", library, "mpi"] for library in ("libmpi.so.12", "libmpi.so.40")]
    over_mpi, over_gloo = (
        [
            record(averaged | {"controller": controller, "seed": seed}, horovod_build=build)
            for seed, build in enumerate(builds)
        ]
        for controller in ("mpi", "gloo")
    )
    (alone,) = pools(loaded(tmp_path / "gloo", *over_gloo))
    assert len(alone.runs) == 2
    runs = loaded(tmp_path / "both", *over_mpi, *over_gloo, record())
    assert [len(pool.runs) for pool in pools(runs)] == [4, 4]
    assert why_split(runs).endswith(": Horovod built for different MPI (libmpi.so.12, libmpi.so.40).")
    (older,) = pools(loaded(tmp_path / "older", *(one.model_copy(update={"horovod_build": []}) for one in over_mpi)))
    assert len(older.runs) == 2


def test_pools_of_one_machine_are_one(tmp_path):
    runs = loaded(tmp_path, record(), failed({"seed": 1}))
    (pool,) = pools(runs)
    assert (len(pool.runs), len(pool.failed)) == (1, 1)
    assert why_split(runs) is None


def of_code(digest, strategy, seed):
    """A run of a workload that its user has changed since, or not yet."""
    made = record({"strategy": strategy, "workers": 1 if strategy == "serial" else 2, "seed": seed})
    facts = {"code": digest, "metric": made.cell.metric.model_dump(), "sample_unit": "image", "num_samples": 100}
    fields = {**made.cell.fields, "workload": "my.py:make", "dataset": None, "own": facts}
    cell = made.cell.model_copy(update={"fields": fields, "problem": "my.py:make"})
    return made.model_copy(update={"cell": cell})


def test_runs_of_changed_code_are_never_compared_with_those_before(tmp_path):
    old = [of_code("0" * 16, strategy, seed) for strategy in ("serial", "allreduce-flat") for seed in range(3)]
    new = [of_code("f" * 16, "local-sgd", seed) for seed in range(3)]
    (pool,) = pools(loaded(tmp_path, *old, *new))
    assert sorted({contest.aim for contest in contests(pool.launches)}) == [
        "my.py:make [code 00000000]",
        "my.py:make [code ffffffff]",
    ]
    assert "my.py:make has changed between launches" in pool.cautions[0]
    assert quality_differences(pool)[0].problem == "my.py:make [code 00000000]"
    (alone,) = pools(loaded(tmp_path / "old", *old))
    assert set(alone.runs["problem"]) == {"my.py:make"}


def test_a_failure_counts_though_it_ran_well_another_time(tmp_path):
    (pool,) = pools(load(folder_of([failed(), record(), failed({"seed": 1})], tmp_path)))
    assert list(pool.launches["status"]) == ["failed", "ok", "failed"]
    assert len(pool.failed) == 2


def test_failures_by_the_machine_are_no_crashes_once_they_are_made_up_for(tmp_path):
    """Two on a full disk, one of which ran another time, and a crash that did."""
    full = {"reason": "rank 0: OSError: [Errno 28] No space left on device: 'x'"}
    records = [record(), record({"seed": 2}), failed(**full), failed({"seed": 1}, **full), failed({"seed": 2})]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    assert sorted(pool.failed["seed"]) == [1, 2]
    lacked = "1 launch failed for what the machine lacked (rank 0: OSError: [Errno 28] No space left on device: 'x')"
    assert pool.cautions == (
        f"{lacked}: left out, being made up for by others.",
        f"{lacked}: counted as crashes until the same command makes up for them.",
    )
