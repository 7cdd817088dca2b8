"""Beside a headline stands whether those that it recommends learn as well as one worker."""

from __future__ import annotations

from harness.analysis import load
from harness.analysis.comparable import pools
from harness.report.against_baseline import comparisons
from harness.report.findings import findings
from harness.report.judged import judged_contests
from tests.analysis.handmade import folder_of, record

TENSORFLOW = {"framework": "tensorflow"}


def learned(tmp_path, *trained):
    """Of (strategy, workers, images right of 360 in each seed), which all reach the target at their only evaluation."""
    records = [
        record(
            {"strategy": strategy, "workers": workers, "seed": seed, "target": 0.5},
            curve=[at(hits / 360)],
            num_held_out=360,
        )
        for strategy, workers, each in trained
        for seed, hits in enumerate(each)
    ]
    (pool,) = pools(load(folder_of(records, tmp_path)))
    (finding,) = findings(pool, judged_contests([pool])[0], comparisons(pool))
    return [finding.learned_in_short, *(said.replace("\u00a0", " ") for said in finding.learned)]


def at(score):
    (point,) = record().curve[-1:]
    return point.model_copy(update={"score": score})


def test_difference_of_one_image_stands_beside_the_headline_and_claims_nothing(tmp_path):
    short, said = learned(tmp_path, ("serial", 1, (353,) * 3), ("hogwild", 2, (352,) * 3))
    assert short == "Accuracy at the end, against serial ×1: no difference shown."
    assert said == (
        "At the end of training, against serial ×1: "
        "hogwild ×2 accuracy -0.278 [-2.49, 1.93] points: no difference shown."
    )


def test_those_that_end_worse_are_named(tmp_path):
    short, *said = learned(tmp_path, ("serial", 1, (353, 352, 354)), ("hogwild", 2, (302, 300, 301)))
    assert short == "Accuracy at the end, against serial ×1: hogwild ×2 worse."
    assert said[0].endswith(" points: worse.")


def test_reference_goes_by_the_name_that_its_leaderboard_has(tmp_path):
    """Beside runs in TensorFlow, whose series all have their framework in their whole names."""
    trained = [
        record({"strategy": strategy, "workers": workers, "seed": seed, **more})
        for seed in range(3)
        for strategy, workers, more in (("serial", 1, {}), ("hogwild", 2, {}), ("allreduce", 2, TENSORFLOW))
    ]
    (pool,) = pools(load(folder_of(trained, tmp_path)))
    (contests,) = judged_contests([pool])
    of_torch = next(judged for judged in contests if judged.is_comparison)
    (finding,) = findings(pool, [of_torch], comparisons(pool))
    assert finding.learned_in_short == "Accuracy at the end, against serial ×1: no difference shown."
    assert finding.learned[0].startswith("At the end of training, against serial ×1: ")


def test_contest_without_a_single_worker_says_that_it_is_not_known(tmp_path):
    short, said = learned(tmp_path, ("allreduce", 2, (353,) * 3), ("hogwild", 2, (352,) * 3))
    assert short == said == "No single worker ran beside them, so whether they learn as well is not known."


def test_contest_in_which_a_single_worker_alone_ended_well_does_not_say_that_none_ran(tmp_path):
    late = [
        record({"strategy": "hogwild", "workers": 2, "seed": seed}, status="timeout", reason="its time limit")
        for seed in range(3)
    ]
    (pool,) = pools(load(folder_of([*late, *(record({"seed": seed}) for seed in range(3))], tmp_path)))
    (finding,) = findings(pool, judged_contests([pool])[0], comparisons(pool))
    assert (finding.learned_in_short, finding.learned) == ("", ())
