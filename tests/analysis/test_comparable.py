from __future__ import annotations

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools, why_split
from harness.analysis.contests import contests
from harness.analysis.quality import quality_differences
from harness.analysis.series import units, with_series
from harness.records.record import Interruptions, Tuning
from tests.analysis.handmade import MACHINE, by_rmse, failed, folder_of, record, window, worker


def loaded(tmp_path, *records):
    return load(folder_of(records, tmp_path))


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
    assert "my.py:make has changed between runs" in pool.cautions[0]
    assert quality_differences(pool)[0].problem == "my.py:make [code 00000000]"
    (alone,) = pools(loaded(tmp_path / "old", *old))
    assert set(alone.runs["problem"]) == {"my.py:make"}


def test_series_never_joins_threads_and_processes(tmp_path):
    hogwild = {"strategy": "hogwild", "workers": 2}
    runs = loaded(tmp_path, record(hogwild), record(hogwild, launcher="threads"))
    assert sorted(with_series(runs)["series"]) == ["hogwild processes", "hogwild threads"]
    assert len(list(units(with_series(runs)))) == 2


def test_series_is_split_by_a_setting_that_differs(tmp_path):
    runs = loaded(
        tmp_path,
        record({"strategy": "allreduce", "workers": 2, "controller": "gloo"}),
        record({"strategy": "allreduce", "workers": 2, "controller": "mpi"}),
        record({"strategy": "delayed-averaging", "workers": 2}),
    )
    assert sorted(with_series(runs)["series"]) == ["allreduce gloo", "allreduce mpi", "delayed-averaging"]


def test_series_tells_options_apart(tmp_path):
    local = [record({"strategy": {"name": "local-sgd", "period": period}, "workers": 2}) for period in (8, 16)]
    assert sorted(with_series(loaded(tmp_path, *local))["series"]) == ["local-sgd", "local-sgd period=16"]


def test_series_is_the_same_for_every_number_of_workers(tmp_path):
    runs = loaded(tmp_path, *(record({"strategy": "allreduce", "workers": workers}) for workers in (1, 2, 4)))
    assert set(with_series(runs)["series"]) == {"allreduce"}


def test_cautions_name_what_spoils_a_timing(tmp_path):
    busy = MACHINE.model_copy(update={"load_1min": 9.0})
    over = record({"strategy": "hogwild", "workers": 2, "threads": 2, "input": "loader", "loader_workers": 1})
    runs = loaded(tmp_path, record(machine=busy), record({"seed": 1}, revision="fedcba987654"), over)
    (pool,) = pools(runs)
    said = " ".join(pool.cautions)
    assert "2 commits" in said
    assert "1 of 3 runs ended with a load average" in said
    assert "1 run asked for more threads, loader processes and servers than the machine has cores" in said


def test_caution_of_many_commits_names_four(tmp_path):
    runs = [record({"seed": seed}, revision=f"{seed:012x}") for seed in range(6)]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    named = "000000000000, 000000000001, 000000000002, 000000000003"
    assert pool.cautions[0] == f"Runs of 6 commits of the harness are compared: {named} and 2 more."


@pytest.mark.parametrize(("used_s", "said"), [(23.0, ()), (30.0, ("25 %",))], ids=["helpers", "others"])
def test_cautions_go_by_the_time_that_others_used_where_it_is_known(tmp_path, used_s, said):
    """Two workers of 10 s of CPU time each in ten seconds, on four cores: others used 3 or 10 of 40 s."""
    machine = MACHINE.model_copy(update={"load_1min": 9.0})
    watched = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=None, steal_s=0.0, machine_cpu_s=used_s)
    parts = [worker(rank, machine=machine, cpu_s=10.0, interruptions=watched) for rank in range(2)]
    (pool,) = pools(load(folder_of([record({"strategy": "hogwild", "workers": 2}, workers=parts)], tmp_path)))
    expected = (
        f"1 of 1 runs trained beside other processes, which used up to {share} of the machine's cores."
        for share in said
    )
    assert [caution for caution in pool.cautions if "beside" in caution or "load" in caution] == list(expected)


def test_cautions_name_trials_that_do_not_compare(tmp_path):
    def trial(number, settings, study="s"):
        tuning = Tuning(budget=2, sampler="quasi-random", seed=0, study=study, trial=number)
        return record({"seed": 1_000_000, "learning_rate": 0.1 + number}, tuning=tuning, settings=settings)

    other = {"MALLOC_ARENA_MAX": "1"}
    said = "The best was chosen among trials whose timings do not compare: different settings of the environment"
    (pool,) = pools(loaded(tmp_path / "unlike", record(), trial(0, {}), trial(1, other)))
    assert [caution.startswith(said) for caution in pool.cautions] == [True]
    alike = [trial(0, {}), trial(1, {}), trial(0, other, "another"), trial(1, other, "another")]
    (pool,) = pools(loaded(tmp_path / "alike within each", record(), *alike))
    assert pool.cautions == ()


def test_cautions_name_who_went_on_without_workers_that_died(tmp_path):
    gone = record({"strategy": "hogwild", "workers": 2}, workers=[worker(0)], lost_ranks=[1])
    (pool,) = pools(load(folder_of([record(), gone], tmp_path)))
    assert (
        "hogwild: 1 of 2 runs went on without workers that died, up to 1 of them: their figures are those of the "
        "workers left."
    ) in pool.cautions


def test_cautions_name_what_kept_runs_from_running(tmp_path):
    """Ten seconds of training: a tenth of one is where it begins to matter."""
    told = [{"paused_s": 8.0}, {"suspended_s": 0.09}, {"throttled_s": 3.25}, {"steal_s": 0.5}]
    nothing = {"paused_s": 0.0, "suspended_s": 0.0, "throttled_s": None, "steal_s": None}
    parts = [worker(interruptions=Interruptions(**{**nothing, **each})) for each in told]
    records = [record({"seed": seed}, workers=[part]) for seed, part in enumerate(parts)]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    assert pool.cautions == (
        "1 of 4 runs were stopped, or their machine was asleep, while they trained, for up to 8.0 s.",
        "1 of 4 runs were held back by a CPU quota while they trained, for up to 3.2 s.",
        "1 of 4 runs lost their cores to the host of a virtual machine while they trained, for up to 0.5 s.",
    )


def test_caution_says_in_milliseconds_what_kept_a_short_run(tmp_path):
    stolen = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=None, steal_s=0.02)
    short = worker(windows=[window(0)], interruptions=stolen)  # a second of training
    (pool,) = pools(load(folder_of([record(workers=[short])], tmp_path)))
    assert any("virtual machine while they trained, for up to 20 ms." in caution for caution in pool.cautions)


@pytest.mark.parametrize(
    ("name", "option", "what_follows"),
    [
        ("local-sgd", "period", "their workers train apart, and only the evaluated mean joins them."),
        ("allreduce", "backward_passes_per_step", "their weights are never updated."),
    ],
)
def test_cautions_name_a_series_that_never_communicates(tmp_path, name, option, what_follows):
    silent = worker(windows=[window(position, bytes_sent=0) for position in range(10)])
    never = {"strategy": {"name": name, option: 1_000_000}, "workers": 2}
    runs = loaded(
        tmp_path, record(), record({"strategy": "local-sgd", "workers": 2}), record(never, workers=[silent] * 2)
    )
    (pool,) = pools(runs)
    (said,) = pool.cautions
    assert said.startswith(f"{name} {option}=1000000: never communicates in 1 of 3 runs")
    assert said.endswith(what_follows)


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


def test_aim_says_the_target_in_its_metrics_words(tmp_path):
    hogwild = {"strategy": "hogwild", "workers": 2}
    other = by_rmse(record(hogwild))
    cell = other.cell.model_copy(update={"fields": {**other.cell.fields, "target": 1.0}})
    runs = loaded(tmp_path, by_rmse(record()), other.model_copy(update={"cell": cell}), record())
    assert sorted(with_series(runs)["aim"]) == [
        "cnn on digits",
        "mf on movielens to 0.92 RMSE",
        "mf on movielens to 1 RMSE",
    ]


def test_problem_that_changed_its_metric_is_two(tmp_path):
    before, after = record(), by_rmse(record({"seed": 1}))
    after = after.model_copy(update={"cell": after.cell.model_copy(update={"problem": before.cell.problem})})
    named = with_series(loaded(tmp_path, before, after, by_rmse(record())))
    assert sorted(named["problem"]) == ["cnn on digits by RMSE", "cnn on digits by accuracy", "mf on movielens"]
    assert sorted(named["aim"]) == sorted(named["problem"])  # a problem of one target, though the two differ


def _on(tmp_path, *problems):
    records = [
        made.model_copy(update={"cell": made.cell.model_copy(update={"problem": problem})})
        for seed, problem in enumerate(problems)
        for made in [record({"seed": seed})]
    ]
    return with_series(loaded(tmp_path, *records))


def test_problem_goes_without_the_options_that_all_its_runs_share(tmp_path):
    wrong = "fnn on synthetic (64 of 8×8×1, 10 classes), 30 % of labels wrong"
    text, own = "lm-lstm on text (a on b (c).txt, 2000 characters)", "runs on disk (2).py:make"
    named = _on(tmp_path, "mf on synthetic-ratings (64 of 9×9, rank 4)", wrong, text, own)
    assert sorted(named["problem"]) == [
        "fnn on synthetic, 30 % of labels wrong",
        text,
        "mf on synthetic-ratings",
        own,
    ]
    assert set(named["problem_in_full"]) >= {wrong}


def test_problem_keeps_the_options_where_runs_have_several(tmp_path):
    sizes = ["mf on synthetic-ratings (64 of 9×9, rank 4)", "mf on synthetic-ratings (64 of 9×9, rank 8)"]
    assert sorted(_on(tmp_path, *sizes)["problem"]) == sizes


def test_problem_with_a_worker_that_is_slower_is_another(tmp_path):
    slow = {"strategy": "hogwild", "workers": 2, "slowed": {"rank": 1, "factor": 3.0}}
    named = with_series(loaded(tmp_path, record({"strategy": "hogwild", "workers": 2}), record(slow)))
    assert sorted(named["problem"]) == ["cnn on digits", "cnn on digits, rank 1 slowed 3×"]
    assert set(named["problem_any_speed"]) == {"cnn on digits"}
    assert set(named["series"]) == {"hogwild"}
