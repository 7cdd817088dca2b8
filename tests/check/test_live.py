"""Real launches of a real cell: as few as show that arms, pairs and resumption hold together."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.check.arms import Arm, parse_arm, ready
from harness.check.launching import About, ask_about, launch, launch_in_turns
from harness.check.live import changed_circumstances, prepare, run_check, verdict_of
from harness.check.observed import Stage
from harness.check.worktree import ArmError
from harness.records.record import Record
from harness.run.versions import python_series
from harness.suite.cell import Cell
from harness.suite.gates import CheckSettings
from harness.suite.injection import Injection
from harness.suite.suite import Suite
from tests.check.test_stored import at_speed, results

CELL = Cell(workload="fnn", strategy="serial", epochs=3, evaluations=2, target=0.5)
TWO_WORKERS = Cell(workload="fnn", strategy="allreduce", workers=2)
SETTINGS = CheckSettings(screen_pairs=4, confirm_pairs=5)


class Silent:
    def __init__(self) -> None:
        self.seeds = []

    def stage_started(self, stage: Stage, num_pairs: int, num_done: int) -> None: ...
    def pair_started(self, cell: Cell) -> None:
        self.seeds.append(cell.seed)

    def run_progress(self, side: str, share: float, samples_per_s: float, loss: float) -> None: ...
    def waiting(self, why: str) -> None: ...
    def pair_ended(self, cell: Cell, a: Any, b: Any) -> None: ...


def suite_of(*cells: Any, settings: CheckSettings = SETTINGS) -> Suite:
    return Suite(name="s", question="-", repeats=1, time_budget_s=None, check=settings, cells=cells)


@pytest.fixture
def arms() -> Iterator[tuple[Arm, Arm]]:
    here = parse_arm("here")
    with ready((here, here)) as both:
        yield both


def test_launch_runs_the_cell_with_the_arms_environment_and_fault(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    arm = Arm(
        name="x",
        python=arms[0].python,
        root=arms[0].root,
        environ={"MALLOC_TOP_PAD_": "4096"},
        injections={CELL.group: Injection(score_drop=0.25)},
    )
    record = launch(arm, CELL.with_seed(4), tmp_path / "a", lambda *_: None)
    assert record.status == "ok"
    assert record.workers[0].settings["MALLOC_TOP_PAD_"] == "4096"
    assert record.cell["inject"] == {"score_drop": 0.25}  # the record says it
    assert record.cell.seed == 4
    assert record.curve[-1].score < 0.75


def say_nothing(side: str) -> Any:
    return lambda *_: None


def test_launch_in_turns_stops_each_while_the_other_trains(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    longer = CELL.model_copy(update={"epochs": 20.0})
    records = launch_in_turns({"a": (arms[0], longer), "b": (arms[1], longer)}, tmp_path, say_nothing)
    assert [records[side].status for side in "ab"] == ["ok", "ok"]
    for record in records.values():
        (worker,) = record.workers
        said, _, seconds = worker.settings["turns"].partition("stopped for ")
        stopped_s = float(seconds.split()[0])
        assert said == ""
        assert stopped_s > 0
        assert worker.train_s + stopped_s <= record.wall_s  # being stopped is no training
    assert records["a"].weights_sha256 == records["b"].weights_sha256


def test_launch_in_turns_lets_the_other_arm_finish_when_one_crashes(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    crashing = replace(arms[1], injections={CELL.group: Injection(crash_at=0.5)})
    records = launch_in_turns({"b": (crashing, CELL), "a": (arms[0], CELL)}, tmp_path, say_nothing)
    assert records["a"].status == "ok"
    assert records["b"].status == "failed"


def test_launch_in_turns_lets_the_other_arm_finish_when_one_never_starts(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    python.chmod(0o755)
    broken = replace(arms[1], name="b", python=python)
    with pytest.raises(ArmError, match=r"arm b: broken \(exit 3\)"):
        launch_in_turns({"b": (broken, CELL), "a": (arms[0], CELL)}, tmp_path / "runs", say_nothing)
    assert len(list((tmp_path / "runs" / "a").glob("*.json"))) == 1


def arm_that_prints(tmp_path: Path, text: str, real: Arm) -> Arm:
    """An arm whose interpreter writes to standard output before the harness does."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nprintf {shlex.quote(text)}\nexec {shlex.quote(str(real.python))} "$@"\n')
    python.chmod(0o755)
    return Arm(name="chatty", python=python, root=real.root)


@pytest.mark.parametrize("printed", ["libfoo: hello\\n", "5\\n", "\\377\\n"])
def test_launch_passes_over_what_is_no_progress(arms: tuple[Arm, Arm], tmp_path: Path, printed: str) -> None:
    arm = arm_that_prints(tmp_path, printed, arms[0])
    assert ask_about(arm, [CELL]).fingerprint
    assert launch(arm, CELL, tmp_path / "a", lambda *_: None).status == "ok"


def test_ask_about_an_arm_whose_answer_is_none_is_refused(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho hello\n")
    python.chmod(0o755)
    with pytest.raises(ArmError, match="arm odd: its harness answered 'hello'"):
        ask_about(Arm(name="odd", python=python, root=arms[0].root), [CELL])


def test_run_check_goes_on_where_it_was_and_a_crash_of_b_ends_its_cell(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    crashing = Arm(name="b", python=arms[1].python, root=arms[1].root, injections={CELL.group: Injection(crash_at=0.0)})
    check = prepare(suite_of(CELL), (arms[0], crashing), tmp_path)
    watcher = Silent()
    verdict = run_check(check, watcher)
    assert verdict.exit_code == 1
    assert verdict.cells[0].failure == "crashed"
    assert "InjectedCrashError" in verdict.cells[0].words
    assert watcher.seeds == [0]  # one pair said it all
    again = Silent()
    assert run_check(check, again).to_json() == verdict.to_json()
    assert again.seeds == []


def test_run_check_runs_a_pair_again_of_which_a_failed(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    crashing = Arm(name="a", python=arms[0].python, root=arms[0].root, injections={CELL.group: Injection(crash_at=0.0)})
    check = prepare(suite_of(CELL), (crashing, arms[1]), tmp_path)
    verdict = run_check(check, Silent())
    assert verdict.exit_code == 3
    again = Silent()
    run_check(check, again)
    assert again.seeds == [0]  # what kept A from running may have been the machine


def test_run_check_without_time_is_inconclusive(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    check = prepare(suite_of(CELL), arms, tmp_path)
    assert run_check(check, Silent(), time_budget_s=0.0).exit_code == 3


def test_prepare_gives_other_arms_and_other_suites_other_folders(arms: tuple[Arm, Arm], tmp_path: Path) -> None:
    names = {
        prepare(suite_of(CELL), arms, tmp_path).folder.path.name,
        prepare(suite_of(CELL), arms, tmp_path, attempt="2").folder.path.name,
        prepare(suite_of(CELL.model_copy(update={"epochs": 4.0})), arms, tmp_path).folder.path.name,
        prepare(suite_of(CELL, settings=CheckSettings()), arms, tmp_path).folder.path.name,
    }
    assert len(names) == 4


def test_ask_about_says_when_the_environment_lacks_the_harness_or_the_entry(
    arms: tuple[Arm, Arm], tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    (bare / "harness").mkdir(parents=True)
    (bare / "harness" / "__init__.py").touch()
    with pytest.raises(ArmError, match=r"older than harness\.run_one"):
        ask_about(Arm(name="old", python=Path(sys.executable), root=bare), [CELL])
    isolated = tmp_path / "python"
    isolated.write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -S "$@"\n')  # no installed package
    isolated.chmod(0o755)
    with pytest.raises(ArmError, match="lacks what the harness needs"):
        ask_about(Arm(name="bare", python=isolated, root=arms[0].root), [CELL])


def test_ask_about_says_what_the_arm_cannot_run(arms: tuple[Arm, Arm]) -> None:
    with pytest.raises(ArmError, match="arm here"):
        ask_about(arms[0], [CELL.model_copy(update={"strategy": "hogwild", "workers": 2048})])


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_ask_about_tells_pythons_and_the_driver_where_cells_are_on_gpus(
    arms: tuple[Arm, Arm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """Of an arm whose checkout does not tell of its Python, being older, it is known where it is this one."""
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", "device": device})
    on_gpu = {"torch": "2.13.0", "nvidia-driver": "580.2"}
    said = {"root": str(arms[0].root), "schema_version": 1, "fingerprint": "f", "revision": None, "obstacle": None}
    python = tmp_path / "python"

    def versions(**more: Any) -> dict[str, str]:
        answer = json.dumps({**said, "versions": on_gpu, **more})
        python.write_text(f"#!/bin/sh\necho {shlex.quote(answer)}\n")
        python.chmod(0o755)
        return ask_about(Arm(name="b", python=python, root=arms[0].root), [cell]).versions

    told = on_gpu if device == "gpu" else {"torch": "2.13.0"}
    assert versions(python="3.12") == told | {"python": "3.12"}
    assert versions() == told | {"python": "not told"}
    build = {"horovod.mpi": "libmpi.so.40"}
    assert versions(builds=build) == told | build | {"python": "not told"}
    monkeypatch.setattr(sys, "executable", str(python))
    assert versions() == told | {"python": python_series()}


def test_changed_circumstances_names_what_differs() -> None:
    newer = {"torch": "2.13.0", "numpy": "2.4.6", "horovod": "0.28.1", "python": "3.12"}
    old = About(fingerprint="f", revision=None, versions={"torch": "2.12.0", "numpy": "2.4.6", "python": "3.11"})
    new = About(fingerprint="f", revision=None, versions=newer, settings={"HOROVOD_CYCLE_TIME": "50"})
    assert changed_circumstances(old, new) == [
        "horovod: A has none, B has 0.28.1",
        "python: A has 3.11, B has 3.12",
        "torch: A has 2.12.0, B has 2.13.0",
        "HOROVOD_CYCLE_TIME: A has none, B has 50",
    ]


def test_what_an_older_harness_does_not_tell_is_no_difference() -> None:
    """Builds of Horovod's, and pip's NCCL and cuDNN: who tells one of these packages tells all that there are."""
    builds = {"horovod.mpi": "libmpi.so.40", "horovod.nccl": "2.28.3"}
    older, newer, newest = (
        About(fingerprint="f", revision=None, versions={"torch": "2.13.0", **more})
        for more in ({}, builds | {"nvidia-nccl-cu12": "2.28.3"}, builds | {"nvidia-nccl-cu13": "2.28.3"})
    )
    assert changed_circumstances(older, newer) == changed_circumstances(newer, older) == []
    assert changed_circumstances(newer, newest) == [
        "nvidia-nccl-cu12: A has 2.28.3, B has none",
        "nvidia-nccl-cu13: A has none, B has 2.28.3",
    ]


def test_pairs_of_other_settings_are_another_check(
    arms: tuple[Arm, Arm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the shell has set reaches both arms: an interrupted check does not go on with other settings."""
    before = prepare(suite_of(TWO_WORKERS), arms, tmp_path)
    monkeypatch.setenv("HOROVOD_CYCLE_TIME", "50")
    check = prepare(suite_of(TWO_WORKERS), arms, tmp_path)
    assert [about.settings for about in check.abouts] == [{"HOROVOD_CYCLE_TIME": "50"}] * 2
    assert check.folder.path != before.folder.path


@pytest.mark.parametrize(
    ("variable", "cell", "decides"),
    [
        ("OMP_NUM_THREADS=2", CELL, "threads"),
        ("TF_NUM_INTRAOP_THREADS=2", TWO_WORKERS, "threads"),
        ("TF_NUM_INTEROP_THREADS=2", TWO_WORKERS, "threads"),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1", CELL, "precision"),
        ("HOROVOD_CPU_OPERATIONS=mpi", TWO_WORKERS, "controller"),
        ("NCCL_SOCKET_IFNAME=lo", TWO_WORKERS, "controller"),
        ("OMPI_MCA_mpi_yield_when_idle=0", TWO_WORKERS, "option mpi_yield_when_idle"),
        (
            "HOROVOD_CYCLE_TIME=5",
            Cell(workload="fnn", strategy="allreduce", options={"cycle_time_ms": 9}, workers=2),
            "option cycle_time_ms",
        ),
    ],
)
def test_variable_that_a_cell_decides_is_refused(
    arms: tuple[Arm, Arm], tmp_path: Path, variable: str, cell: Cell, decides: str
) -> None:
    b = replace(arms[1], name=f"env:{variable}", environ=dict([variable.split("=")]))
    name = variable.partition("=")[0]
    with pytest.raises(ArmError, match=rf"^arm env:{variable}: {name} has no effect on fnn .*: its {decides} decides;"):
        prepare(suite_of(cell), (arms[0], b), tmp_path)


@pytest.mark.parametrize(
    ("variable", "cell"),
    [
        ("NCCL_ALGO=Tree", TWO_WORKERS),
        ("OMPI_MCA_coll=^tuned", TWO_WORKERS),
        ("OMPI_MCA_btl=tcp", TWO_WORKERS.model_copy(update={"controller": "mpi"})),  # mpirun is told ^openib
        ("HOROVOD_CYCLE_TIME=50", Cell(workload="fnn", strategy="hogwild", workers=2)),
    ],
)
def test_variable_that_reaches_no_cell_is_refused(
    arms: tuple[Arm, Arm], tmp_path: Path, variable: str, cell: Cell
) -> None:
    name, _, value = variable.partition("=")
    b = replace(arms[1], name=f"env:{variable}", environ={name: value})
    with pytest.raises(
        ArmError, match=rf"^arm env:{re.escape(variable)}: {name} has no effect on any cell of the check: "
    ):
        prepare(suite_of(cell), (arms[0], b), tmp_path)


SPEEDS = {"a": 1.0, "b": 1.3}


@pytest.fixture
def made_up(arms: tuple[Arm, Arm], monkeypatch: pytest.MonkeyPatch) -> tuple[Arm, Arm]:
    """Arms whose launches take no time: the second takes 1.3 times as long, a cell on two workers as long as on one."""

    def launched(arm: Arm, cell: Cell, folder: Path, tell: Any) -> Record:
        record = at_speed(cell.seed, SPEEDS[arm.name] if cell.workers > 1 else 1.0, cell)
        results(folder, [record])
        return record

    monkeypatch.setattr("harness.check.live.launch", launched)
    monkeypatch.setattr(
        "harness.check.live.ask_about", lambda *_: About(fingerprint="f", revision=None, versions={"numpy": "2.4.6"})
    )
    return replace(arms[0], name="a"), replace(arms[1], name="b")


def test_verdict_of_the_same_pairs_is_byte_identical_wherever_they_lie(
    made_up: tuple[Arm, Arm], tmp_path: Path
) -> None:
    check = prepare(suite_of(TWO_WORKERS), made_up, tmp_path / "one")
    verdict = run_check(check, Silent())
    assert len(check.folder.load()) == 9  # 4 screen, 5 confirm
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = prepare(suite_of(TWO_WORKERS), made_up, tmp_path / "two")
    assert len(moved.folder.load()) == 9
    assert verdict_of(moved).to_json() == verdict.to_json()


def test_variable_that_reaches_some_cells_is_noted(made_up: tuple[Arm, Arm], tmp_path: Path) -> None:
    """The serial cell has no Horovod that would read its cycle; what is not recorded may be read by whoever knows."""
    b = replace(made_up[1], environ={"HOROVOD_CYCLE_TIME": "50", "OMP_PROC_BIND": "true", "MY_OWN": "1"})
    assert prepare(suite_of(CELL, TWO_WORKERS), (made_up[0], b), tmp_path).notes == (
        "arm b: HOROVOD_CYCLE_TIME reaches 1 of 2 cells; on the others the arms are equal",
    )


def test_verdict_has_the_notes_of_the_check(made_up: tuple[Arm, Arm], tmp_path: Path) -> None:
    check = prepare(suite_of(CELL), made_up, tmp_path, notes=["s.yaml is another"])
    suite, *others = verdict_of(check).notes
    assert suite == "s.yaml is another"
    assert [note.partition(", which")[0] for note in others] == [
        f"arm {name}: launches ran one after the other" for name in "ab"
    ]


def test_run_check_confirms_scaling_efficiency_by_fresh_pairs_of_one_worker_too(
    made_up: tuple[Arm, Arm], tmp_path: Path
) -> None:
    one = TWO_WORKERS.model_copy(update={"workers": 1})
    gated = {"scaling_efficiency": {"gated": True}}
    for metrics, num_pairs in ((gated, (14, 14)), ({}, (8, 14))):
        settings = CheckSettings(screen_pairs=8, confirm_pairs=6, metrics=metrics)
        check = prepare(suite_of(one, TWO_WORKERS, settings=settings), made_up, tmp_path)
        verdict = run_check(check, Silent())
        groups = [group for group, _ in check.folder.load()]
        assert tuple(groups.count(cell.group) for cell in (one, TWO_WORKERS)) == num_pairs
        [efficiency] = [found for _, found in verdict.comparisons if found.metric == "scaling_efficiency"]
        assert (efficiency.outcome == "regression") == bool(metrics)
        assert efficiency.effect == pytest.approx(0.3)


def test_run_check_stops_when_an_arms_code_changes_and_keeps_no_mixed_pair(
    made_up: tuple[Arm, Arm], tmp_path: Path
) -> None:
    code = tmp_path / "tree" / "harness" / "x.py"
    code.parent.mkdir(parents=True)
    code.write_text("1")
    edited = replace(made_up[1], root=tmp_path / "tree")

    class Editing(Silent):
        def pair_started(self, cell: Cell) -> None:
            super().pair_started(cell)
            if cell.seed == 2:
                code.write_text("2")

    check = prepare(suite_of(CELL), (made_up[0], edited), tmp_path)
    with pytest.raises(ArmError, match="arm b: its code has changed while the check ran"):
        run_check(check, Editing())
    assert [seed for _, seed in check.folder.load()] == [0, 1]
    code.write_text("1")
    assert run_check(check, Silent()).cells
