from __future__ import annotations

from pathlib import Path
from typing import Never

import pytest

from harness.check.pair_folder import PairFolder
from harness.records.record import Record
from harness.records.results_folder import ResultsError
from tests.sample_records import finished


def leave(folder: Path, record: Record) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{record.key}-{record.id}.json").write_text(record.model_dump_json())


def test_staged_pair_is_stored_when_both_runs_are_there(tmp_path: Path) -> None:
    pairs = PairFolder(tmp_path)
    a, b = finished(), finished()
    with pairs.staged("feed", 3) as staging:
        leave(staging / "a", a)
        (staging / "a" / ".locks").mkdir()
        leave(staging / "b", b)
        assert pairs.load() == {}
    assert pairs.load() == {("feed", 3): (a, b)}
    assert len(list((tmp_path / "feed-3" / "a").iterdir())) == 1


def test_staged_half_of_a_pair_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Never:
        with PairFolder(tmp_path).staged("feed", 3) as staging:
            leave(staging / "a", finished())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_claim_clears_what_a_killed_check_left(tmp_path: Path) -> None:
    leave(tmp_path / ".staged-feed-3", finished())
    with PairFolder(tmp_path).claim():
        assert not (tmp_path / ".staged-feed-3").exists()


def test_claim_is_one_checks_alone(tmp_path: Path) -> None:
    with (
        PairFolder(tmp_path).claim(),
        pytest.raises(ResultsError, match="another check is at work"),
        PairFolder(tmp_path).claim(),
    ):
        pass


def test_load_names_a_pair_that_lacks_a_record(tmp_path: Path) -> None:
    leave(tmp_path / "feed-3", finished())
    for side in "ab":
        (tmp_path / "feed-3" / side).mkdir()
    with pytest.raises(ResultsError, match="holds 0 records instead of one; remove feed-3"):
        PairFolder(tmp_path).load()


def test_pairs_are_forgotten_whose_failure_says_nothing_of_b(tmp_path: Path) -> None:
    crash = {"status": "failed", "reason": "rank 1 was killed by signal 11 (SIGSEGV)"}
    full = {"status": "failed", "reason": "rank 0: OSError: [Errno 28] No space left on device: 'x'"}
    for seed, (a, b) in enumerate([({}, {}), (crash, {}), ({}, crash), ({}, full)]):
        with PairFolder(tmp_path).staged("feed", seed) as staging:
            leave(staging / "a", finished(**a))
            leave(staging / "b", finished(**b))
    PairFolder(tmp_path).forget_failures_that_say_nothing()
    assert sorted(PairFolder(tmp_path).load()) == [("feed", 0), ("feed", 2)]
