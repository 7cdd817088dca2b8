"""What is said of runs whose timings may not mean what they seem to."""

from __future__ import annotations

import pytest

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.records.record import Interruptions, Tuning
from tests.analysis.handmade import MACHINE, folder_of, loaded, record, window, worker


def test_cautions_name_what_spoils_a_timing(tmp_path):
    busy = MACHINE.model_copy(update={"load_1min": 9.0})
    over = record({"strategy": "hogwild", "workers": 2, "threads": 2, "input": "loader", "loader_workers": 1})
    runs = loaded(tmp_path, record(machine=busy), record({"seed": 1}, revision="fedcba987654"), over)
    (pool,) = pools(runs)
    said = " ".join(pool.cautions)
    assert "2 commits" in said
    assert "1 of 3 launches ended with a load average" in said
    assert "1 launch asked for more threads, loader processes and servers than the machine has cores" in said


def test_caution_of_many_commits_names_four(tmp_path):
    runs = [record({"seed": seed}, revision=f"{seed:012x}") for seed in range(6)]
    (pool,) = pools(load(folder_of(runs, tmp_path)))
    named = "000000000000, 000000000001, 000000000002, 000000000003"
    assert pool.cautions[0] == (
        "Launches of 6 commits of the harness are compared, and what changed in between may be part of a difference: "
        f"{named} and 2 more."
    )


@pytest.mark.parametrize(("used_s", "said"), [(23.0, ()), (30.0, ("25 %",))], ids=["helpers", "others"])
def test_cautions_go_by_the_time_that_others_used_where_it_is_known(tmp_path, used_s, said):
    """Two workers of 10 s of CPU time each in ten seconds, on four cores: others used 3 or 10 of 40 s."""
    machine = MACHINE.model_copy(update={"load_1min": 9.0})
    watched = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=None, steal_s=0.0, machine_cpu_s=used_s)
    parts = [worker(rank, machine=machine, cpu_s=10.0, interruptions=watched) for rank in range(2)]
    (pool,) = pools(load(folder_of([record({"strategy": "hogwild", "workers": 2}, workers=parts)], tmp_path)))
    expected = (
        f"1 of 1 launches trained beside other processes, which used up to {share} of the machine's cores."
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
        "hogwild: 1 of 2 launches went on without workers that died, up to 1 of them: their figures are those of the "
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
        "1 of 4 launches were stopped, or their machine was asleep, while they trained, for up to 8.0 s.",
        "1 of 4 launches were held back by a CPU quota while they trained, for up to 3.2 s.",
        "1 of 4 launches lost their cores to the host of a virtual machine while they trained, for up to 0.5 s.",
    )


def test_caution_says_in_milliseconds_what_kept_a_short_run(tmp_path):
    stolen = Interruptions(paused_s=0.0, suspended_s=0.0, throttled_s=None, steal_s=0.02)
    short = worker(windows=[window(0)], interruptions=stolen)  # a second of training
    (pool,) = pools(load(folder_of([record(workers=[short])], tmp_path)))
    assert any("virtual machine while they trained, for up to 20 ms." in caution for caution in pool.cautions)


@pytest.mark.parametrize(
    ("sends", "said"),
    [
        ([True] * 3 + [False] * 7, "the last 70 % of training, in 1 of 2 launches"),
        ([True] + [False] * 499, "the last 99 % of training, in 1 of 2 launches"),  # it did communicate
        ([True] * 9 + [False], None),  # a rest in which nobody expects an average
        ([True] * 3 + [False] * 3 + [True] + [False] * 3, None),  # averages some steps apart
    ],
)
def test_cautions_name_a_series_that_falls_silent(tmp_path, sends, said):
    part = worker(windows=[window(position, bytes_sent=5000 * is_sent) for position, is_sent in enumerate(sends)])
    strategy = {"name": "post-local-sgd", "period": 1_000}
    alone = worker(windows=part.windows * 2)  # as many samples as two
    runs = record(workers=[alone]), record({"strategy": strategy, "workers": 2}, workers=[part] * 2)
    (pool,) = pools(loaded(tmp_path, *runs))
    told = said and (
        f"post-local-sgd period=1000: communicates no more in {said}, since no average is due there; their workers "
        "train apart, and only the evaluated mean joins them."
    )
    assert pool.cautions == ((told,) if told else ())


@pytest.mark.parametrize(
    ("name", "option", "what_follows"),
    [
        ("local-sgd", "period", "or groups of them, train apart, and only the evaluated mean joins them."),
        ("allreduce", "backward_passes_per_step", "their weights are never updated."),
    ],
)
def test_cautions_name_a_series_that_never_communicates(tmp_path, name, option, what_follows):
    silent = worker(windows=[window(position, bytes_sent=0) for position in range(10)])
    never = {"strategy": {"name": name, option: 1_000_000}, "workers": 2}
    local = {"strategy": "local-sgd", "workers": 2}
    runs = [record(local), record({**local, "seed": 1}), record(never, workers=[silent] * 2)]
    (pool,) = pools(loaded(tmp_path, *runs))
    (said,) = pool.cautions
    assert said.startswith(f"{name} {option}=1000000: never communicates in 1 of 3 launches")
    assert said.endswith(what_follows)


@pytest.mark.parametrize(("first", "is_said"), [(100_000, True), (101, True), (100, False), (None, False)])
def test_cautions_name_groups_that_never_meet_though_their_workers_send(tmp_path, first, is_said):
    """They add to shared memory in each step, 100 of them. Without other groups there is no first exchange."""
    strategy = {"name": "hogwild-averaging", "period": 100_000, "workers_per_group": 2}
    (pool,) = pools(loaded(tmp_path, record({"strategy": strategy, "workers": 4}, first_exchange_step=first)))
    told = (
        "hogwild-averaging workers_per_group=2 period=100000 delay=100000: never communicates in 1 of 1 launches, "
        "whose training ends before an average is due; their workers, or groups of them, train apart, and only the "
        "evaluated mean joins "
        "them."
    )
    assert pool.cautions == ((told,) if is_said else ())


def test_cautions_name_a_shared_model_that_hears_of_nothing(tmp_path):
    cell = {"strategy": {"name": "elastic", "period": 100}}
    (pool,) = pools(loaded(tmp_path, record(cell, first_exchange_step=101)))
    assert pool.cautions == (
        "elastic period=100: never communicates in 1 of 1 launches, whose training ends before an exchange is due; "
        "the shared model hears of nothing while they train.",
    )


def trained(num_samples, cell, **changes):
    parts = [worker(windows=[window(0, num_samples=num_samples)])]
    return record({"batch_size": 450, "epochs": 1.0, **cell}, workers=parts, **changes)


def test_cautions_name_who_trained_more_than_others(tmp_path):
    """Steps of 450 samples, one epoch of 1,437: three of one worker, two of two together."""
    alone, two = {"strategy": "serial"}, {"strategy": "allreduce-flat", "workers": 2}
    late = trained(450, {"strategy": "hogwild", "workers": 2}, status="timeout", reason="out of time")
    (pool,) = pools(loaded(tmp_path, trained(1350, alone), trained(1800, two), trained(1800, two | {"seed": 1}), late))
    assert [said for said in pool.cautions if "trained on" in said] == [
        "cnn on digits: serial ×1 trained on 1,350 samples, allreduce-flat ×2 on up to 1,800, 33 % more: their scores "
        "are of unequal training. Where whole steps make it so, a smaller batch_size or more epochs helps."
    ]


@pytest.mark.parametrize(
    "other",
    [
        trained(1050, {"strategy": "hogwild", "workers": 2}),  # 5 % more, no more than that
        trained(500, {"strategy": "hogwild", "workers": 2}, status="timeout", reason="out of time"),
        trained(500, {"strategy": "hogwild", "workers": 2}, lost_ranks=[1]),
        trained(2000, {"strategy": "hogwild", "workers": 2}, curve=[]),  # of whose model nothing is said
        trained(2000, {"workload": "fnn"}),
    ],
    ids=["about as many", "out of time", "workers lost", "not evaluated", "another problem"],
)
def test_cautions_leave_alone_who_trained_alike_or_is_not_compared(tmp_path, other):
    (pool,) = pools(loaded(tmp_path, trained(1000, {"strategy": "serial"}), other))
    assert not any("trained on" in said for said in pool.cautions)
