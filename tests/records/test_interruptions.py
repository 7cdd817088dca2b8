"""What kept a run from running, by hand: two seconds of training."""

from __future__ import annotations

import math
from typing import Any

from harness.progress import outcome_of
from harness.records.interruptions import interruptions_in_words, stolen_s, stopped_s, throttled_s
from harness.records.record import Interruptions, Record
from tests.sample_records import finished

NONE = {"paused_s": 0.0, "suspended_s": 0.0, "throttled_s": None, "steal_s": 0.0}


def interrupted(*workers: dict[str, Any]) -> Record:
    made = finished()
    told = [Interruptions(**{**NONE, **worker}) for worker in workers]
    return made.model_copy(
        update={"workers": [made.workers[0].model_copy(update={"interruptions": each}) for each in told]}
    )


def test_the_worker_that_was_kept_longest_counts() -> None:
    record = interrupted({"paused_s": 0.5, "suspended_s": 0.25, "steal_s": 0.125}, {"throttled_s": 1.5})
    assert (stopped_s(record), throttled_s(record), stolen_s(record)) == (0.75, 1.5, 0.125)
    words = "stopped for 0.8 s, held back by a CPU quota for 1.5 s, without its cores, which the host took, for 0.1 s"
    assert interruptions_in_words(record) == words
    assert outcome_of(record).endswith(f"; {words}")


def test_less_than_a_hundredth_of_training_is_not_worth_a_word() -> None:
    assert interruptions_in_words(interrupted({"steal_s": 0.02})) is None
    assert interruptions_in_words(interrupted({"steal_s": 0.03})) is not None


def test_what_is_not_known_is_not_called_zero() -> None:
    assert math.isnan(throttled_s(interrupted({})))
    assert math.isnan(stopped_s(finished()))
    assert interruptions_in_words(finished()) is None
