"""What is missing of a suite, what is run of it, and how the end of a run is put into words."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.extensions import ExtensionError
from harness.launchers.command import LaunchCommand, worker_argv
from harness.launchers.hosts import this_machine
from harness.launchers.supervisor import LOG_FILE, LaunchEnd
from harness.protocols import HorovodOptions, Plan, Role
from harness.records.machines import Place
from harness.records.record import Record, WorkerPart
from harness.records.results_folder import ResultsError, ResultsFolder
from harness.records.run_files import CELL_FILE, CURVE_FILE, part_path, place_path, write_atomically
from harness.run import runner
from harness.run.run_folder import run_folder
from harness.run.runner import Setting, make_record, run_cell, run_suite
from harness.suite.cell import Cell
from harness.suite.gates import CheckSettings
from harness.suite.suite import Suite
from harness.worker.machine_description import describe_machine
from harness.worker.plan import first_exchange_step, plan_of
from tests.sample_records import finished

CELL = Cell.model_validate({"workload": "fnn", "strategy": "serial", "epochs": 0.1, "evaluations": 1})


class Untold(HorovodOptions):
    def first_exchange(self, plan: Plan) -> int:
        raise RuntimeError("not told")


class Quiet:
    """A Watcher that remembers which cells ended."""

    def __init__(self) -> None:
        self.ended: list[Record] = []

    def cell_started(self, cell: Cell) -> None: ...
    def cell_progress(self, share: float, samples_per_s: float, loss: float) -> None: ...
    def waiting(self, why: str) -> None: ...

    def cell_ended(self, record: Record) -> None:
        self.ended.append(record)


def suite_of(*cells: Cell, time_budget_s: float | None = None) -> Suite:
    return Suite(name="a", question="q", repeats=1, time_budget_s=time_budget_s, check=CheckSettings(), cells=cells)


def setting_of(folder: Path) -> Setting:
    return Setting(suite="a", question="q", folder=ResultsFolder(folder), hosts=this_machine())


def elsewhere() -> dict[str, Any]:
    return {"machine": describe_machine().model_copy(update={"fingerprint": "another"})}


def saved(folder: Path, record: Record) -> None:
    with run_folder(ResultsFolder(folder)) as run_dir:
        ResultsFolder(folder).write(record, run_dir)


def test_run_suite_runs_what_is_missing_and_then_nothing(tmp_path: Path) -> None:
    watcher = Quiet()
    summary = run_suite(suite_of(CELL), setting_of(tmp_path), watcher)
    assert (summary.num_ok, summary.num_failed, summary.num_elsewhere, summary.num_left) == (1, 0, 0, 0)
    (record,) = ResultsFolder(tmp_path).load()
    assert watcher.ended == [record]
    assert (record.status, record.cell, record.suite, record.launcher) == ("ok", CELL.stored(), "a", "processes")
    assert record.question == "q"
    assert record.command == ["python", "-P", "-m", "harness.worker.worker", record.id]
    again = run_suite(suite_of(CELL), setting_of(tmp_path), watcher)
    assert again.num_ok == 0
    assert len(watcher.ended) == 1


def test_run_suite_runs_here_what_only_another_machine_has_run(tmp_path: Path) -> None:
    saved(tmp_path, finished(CELL, **elsewhere()))
    summary = run_suite(suite_of(CELL), setting_of(tmp_path), Quiet())
    assert summary.num_ok == 1
    assert len(ResultsFolder(tmp_path).load()) == 2


def test_run_suite_leaves_what_was_done_with_other_settings_until_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, finished(CELL))
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    assert run_suite(suite_of(CELL), setting_of(tmp_path), Quiet()).num_ok == 0
    assert run_suite(suite_of(CELL), replace(setting_of(tmp_path), again="changed"), Quiet()).num_ok == 1
    assert [record.settings for record in ResultsFolder(tmp_path).load()] == [{}, {"MALLOC_ARENA_MAX": "1"}]
    assert run_suite(suite_of(CELL), replace(setting_of(tmp_path), again="changed"), Quiet()).num_ok == 0
    assert run_suite(suite_of(CELL), replace(setting_of(tmp_path), again="all"), Quiet()).num_ok == 1


def test_run_suite_leaves_what_another_process_is_at(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path).claim(CELL.key):
        summary = run_suite(suite_of(CELL), setting_of(tmp_path), Quiet())
    assert (summary.num_ok, summary.num_elsewhere) == (0, 1)
    assert summary.in_words(tmp_path).startswith("0 ran, 0 failed, 1 left to another hvdbench. ")
    assert ResultsFolder(tmp_path).load() == []


def test_run_suite_starts_nothing_after_its_time_budget(tmp_path: Path) -> None:
    cells = [CELL.with_seed(seed) for seed in range(3)]
    summary = run_suite(suite_of(*cells, time_budget_s=1e-9), setting_of(tmp_path), Quiet())
    assert (summary.num_ok, summary.num_left) == (0, 3)


@pytest.mark.parametrize(
    ("exit_code", "role", "status", "reason"),
    [
        (None, None, "timeout", "stopped at the cell's time_limit_s of 600 s"),
        (-9, Role.WORKER, "failed", "a worker was killed by signal 9"),
        (-9, Role.SERVER, "failed", "a server was killed by signal 9"),
        (137, Role.LAUNCHER, "failed", "a worker or its launcher was killed by signal 9"),
        (70, Role.WORKER, "failed", "a worker lost sight of the process that started it"),
        (1, Role.LAUNCHER, "failed", "a worker or its launcher ended with exit code 1"),
        (0, None, "failed", "the workers ended well, but ranks [0] left no part in the results folder"),
    ],
)
def test_record_says_how_a_run_ended(
    tmp_path: Path, exit_code: int | None, role: Role | None, status: str, reason: str
) -> None:
    record = made(tmp_path, exit_code, role)
    assert record.status == status
    assert record.reason is not None
    assert record.reason.startswith(reason)
    assert record.log_tail == "what the workers said\n"
    assert (record.curve, record.workers, record.weights_sha256) == ([], [], None)


def test_record_says_when_its_workers_were_first_to_exchange_anything(tmp_path: Path) -> None:
    assert made(tmp_path, 0).first_exchange_step is None  # one worker
    apart = {"name": "local-sgd", "period": 1_000_000}
    assert made(tmp_path, 0, strategy=apart, workers=2).first_exchange_step == 1_000_000


def test_strategy_that_fails_to_tell_its_first_exchange_does_so_before_its_launch(tmp_path: Path) -> None:
    """After it, no record could be written."""
    cell = CELL.model_copy(update={"strategy": "local-sgd", "options": Untold(), "workers": 2})
    watcher = Quiet()
    with pytest.raises(ExtensionError, match=r"^local-sgd: Untold\.first_exchange: .*RuntimeError: not told$"):
        run_cell(cell, setting_of(tmp_path), watcher)
    assert list(tmp_path.iterdir()) == []


MISSED = "rank 0: RuntimeError: Connection reset by peer"


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        *((code, "a worker was killed by signal 9") for code in (-9, 137)),
        (-15, "a worker was killed by signal 15"),
        (-7, f"a worker was killed by signal 7; {MISSED} (shared memory lies in /dev/shm, "),
        *((-number, f"a worker was killed by signal {number}; {MISSED}") for number in (4, 6, 8, 11)),
        *((code, f"a worker was killed by signal {code - 128}; {MISSED}") for code in (134, 139)),
        (1, MISSED),
    ],
)
def test_worker_that_was_killed_is_the_reason_not_who_missed_it(tmp_path: Path, exit_code: int, reason: str) -> None:
    (tmp_path / "error-0").write_text(MISSED)
    said = made(tmp_path, exit_code).reason
    assert said is not None
    assert said.startswith(reason)


@pytest.mark.parametrize(
    "missed",
    [
        "HorovodInternalError: Horovod has been shut down. This was caused by an exception on one of the ranks or an",
        "HorovodInternalError: [/gloo/transport/tcp/pair.cc:589] Read error [127.0.0.1]:7: Connection reset by peer",
        "RuntimeError: [../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:7",
        "UnavailableError: Collective ops is aborted by: Socket closed",
        "UnavailableError: failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7: Failed to "
        "connect to remote host: Connection refused",
        "UnavailableError: Task /job:worker/replica:0/task:1 heartbeat timeout. This indicates that the remote task "
        "has failed, got preempted, or crashed unexpectedly.",
        "RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 30000ms for "
        "recv operation to complete",
        "DistBackendError: NCCL error: ncclRemoteError: A call failed possibly due to a network error or a remote "
        "process exiting prematurely.",
        "ShardError: server 0 (unix:@hvdbench-x) has not answered for 60 s",
    ],
)
@pytest.mark.parametrize(
    ("exit_code", "role", "who"),
    [(-11, Role.WORKER, "worker"), (139, Role.LAUNCHER, "worker or its launcher")],
    ids=["processes", "horovodrun"],
)
def test_worker_that_crashed_comes_before_how_its_peers_missed_it(
    tmp_path: Path, missed: str, exit_code: int, role: Role, who: str
) -> None:
    (tmp_path / "error-0").write_text(f"rank 0: {missed}")
    assert made(tmp_path, exit_code, role).reason == f"a {who} was killed by signal 11; rank 0: {missed}"


def test_record_of_workers_that_a_full_disk_left_no_word_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    killed, record = made(tmp_path, -9), made(tmp_path, 1)
    assert killed.reason == "a worker was killed by signal 9"  # which no full disk does
    assert record.reason is not None
    assert record.reason.startswith("a worker ended with exit code 1: [Errno 28] No space left on device: '")
    assert "df -h" in record.reason
    (tmp_path / "error-0").write_text("rank 0: ValueError: mine")
    assert made(tmp_path, 1).reason == "rank 0: ValueError: mine"


def test_run_that_finds_no_room_for_what_its_workers_read_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "reserve", lambda run_dir: (run_dir / CELL_FILE).symlink_to("/dev/full"))
    with pytest.raises(ResultsError) as caught:
        run_suite(suite_of(CELL), setting_of(tmp_path), Quiet())
    assert str(caught.value) == (
        f"{tmp_path}: cannot be written (No space left on device); free some room, or --results takes a place that can "
        "be"
    )
    assert list((tmp_path / ".runs").iterdir()) == []


def test_record_takes_output_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "error-0").write_bytes(b"rank 0: OSError: caf\xe9")
    record = made(tmp_path, 1, log=b"na\xefve\n")
    assert (record.reason, record.log_tail) == ("rank 0: OSError: caf\ufffd", "na\ufffdve\n")
    write_atomically(tmp_path / "error-1", "no such file: '\udce9'")
    assert (tmp_path / "error-1").read_text() == "no such file: '?'"


def test_record_of_training_that_its_time_limit_stopped_is_a_timeout_with_a_curve(tmp_path: Path) -> None:
    leave_parts(tmp_path, {"stopped_after": 4})
    record, hasty, by_turns = (made(tmp_path, 0, time_limit_factor=factor) for factor in (1.0, 0.0125, 2.0))
    assert (record.status, len(record.curve), len(record.workers)) == ("timeout", 1, 1)
    assert record.reason == (
        "training stopped at the cell's time_limit_s of 600 s, after 4 of 9 steps of each worker; "
        "what was trained by then was evaluated"
    )
    assert by_turns.reason == record.reason  # it was stopped for half of the time, and counts its own
    assert hasty.reason is not None
    assert hasty.reason.startswith("training stopped at 7.5 s, 0.0125 times the cell's time_limit_s of 600 s, after 4")


@pytest.mark.parametrize("stopped", [0, 1])
def test_record_of_a_launch_of_which_one_worker_was_stopped_is_a_timeout(tmp_path: Path, stopped: int) -> None:
    """Where work is dealt the others have taken all of theirs by then: whichever it is, the limit cut the run short."""
    of_each: list[dict[str, Any]] = [{}, {}]
    of_each[stopped] = {"stopped_after": 4}
    of_each[1 - stopped] = {"num_steps": 9}
    leave_parts(tmp_path, *of_each)
    record = made(tmp_path, 0, workers=2, strategy="hogwild")
    assert (record.status, [part.stopped_after for part in record.workers].index(4)) == ("timeout", stopped)
    assert record.reason == (
        "training stopped at the cell's time_limit_s of 600 s, after 13 of 18 steps of all workers, 4 to 9 of each; "
        "what was trained by then was evaluated"
    )


def test_launch_that_was_ended_before_all_left_their_parts_is_none_that_its_limit_stopped(tmp_path: Path) -> None:
    """Rank 1 is done while rank 0 evaluates a shared model."""
    leave_parts(tmp_path, {"stopped_after": 4})
    record = made(tmp_path, None, workers=2, strategy="hogwild")
    assert (record.status, record.was_stopped) == ("timeout", False)
    whole = record.model_copy(update={"lost_ranks": [1]})
    assert whole.was_stopped


def test_record_of_training_without_evaluations_that_was_stopped_is_no_failure(tmp_path: Path) -> None:
    leave_parts(tmp_path, {"stopped_after": 4})
    (tmp_path / CURVE_FILE).write_text('{"curve": [], "planned_steps": 9}')
    record = made(tmp_path, 0, evaluations=0)
    assert (record.status, record.was_stopped, record.curve) == ("timeout", True, [])
    assert record.reason == "training stopped at the cell's time_limit_s of 600 s, after 4 of 9 steps of each worker"


def test_record_of_a_timeout_says_the_limit_that_held(tmp_path: Path) -> None:
    reason = made(tmp_path, None, time_limit_factor=0.0125).reason
    assert reason == "stopped at 7.5 s, 0.0125 times the cell's time_limit_s of 600 s"


@pytest.mark.parametrize(
    ("strategy", "times_s"),
    [
        ("delayed-averaging", [2.0, 4.0]),  # the mean of all is there when the last is
        ("hogwild", [0.5, 4.0]),  # rank 0 read the shared model at 0.5 s; the last reading is after all are done
    ],
)
def test_curve_has_the_time_at_which_its_model_was_there(tmp_path: Path, strategy: str, times_s: list[float]) -> None:
    (part,) = finished().workers
    for rank, snapshots_s in enumerate([[1.0, 4.0], [2.0, 3.0]]):
        own = WorkerPart(**{**vars(part), "rank": rank, "snapshots_s": snapshots_s})
        part_path(tmp_path, rank).write_text(own.model_dump_json())
    point = '{"step": 1, "num_samples": 2, "time_s": 0.5, "evaluation_s": 0, "loss": NaN, "score": 0.5}'
    (tmp_path / CURVE_FILE).write_text(f'{{"curve": [{point}, {point}], "weights_sha256": "00", "num_parameters": 7}}')
    record = made(tmp_path, 0, workers=2, strategy=strategy)
    assert record.status == "ok"
    assert record.log_tail is None
    assert [point.time_s for point in record.curve] == times_s
    assert (record.weights_sha256, record.num_parameters) == ("00", 7)


def test_reason_that_is_long_keeps_the_cause_at_its_end(tmp_path: Path) -> None:
    """As PyTorch quotes an error of a loader's worker: after the traceback."""
    cause = "RuntimeError: unable to allocate shared memory(shm) for file </torch_16734_2504084058_0>: Success (0)"
    quoted = "rank 0: RuntimeError: Caught RuntimeError in DataLoader worker process 0.\n" + "  File x\n" * 200 + cause
    (tmp_path / "error-0").write_text(quoted)
    reason = made(tmp_path, 1).reason or ""
    assert reason[:500].endswith(cause)
    assert reason.startswith("rank 0: RuntimeError: Caught RuntimeError in DataLoader worker process 0.\n")
    assert "free some, or make it larger" in reason  # that it was shared memory is known


@pytest.mark.parametrize(("device", "told"), [("gpu", {"nvidia-driver": "570.1, 580.2"}), ("cpu", {})])
def test_launch_that_crashed_elsewhere_has_the_driver_of_the_gpus_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, told: dict[str, str]
) -> None:
    """A worker tells it as it starts, since one that crashes has no settings."""
    monkeypatch.setattr(runner, "versions_on", lambda _: {"torch": "2.13.0"})  # no GPU is here
    for rank, driver in enumerate(["580.2", "570.1", "580.2", None]):
        place = Place(host=str(rank), machine=describe_machine(), driver=driver)
        place_path(tmp_path, rank).write_text(place.model_dump_json())
    assert made(tmp_path, 1, device=device).versions == {"torch": "2.13.0", **told}


def leave_parts(run_dir: Path, *of_each: dict[str, Any]) -> None:
    """What workers leave that were to take 9 steps each and took 4, or `num_steps`, and the curve of rank 0."""
    (part,) = finished().workers
    (window,) = part.windows
    for rank, changes in enumerate(of_each):
        taken = window.model_copy(update={"num_steps": changes.pop("num_steps", 4)})
        own = part.model_copy(update={"rank": rank, "windows": [taken], **changes})
        part_path(run_dir, rank).write_text(own.model_dump_json())
    point = '{"step": 1, "num_samples": 2, "time_s": 0.5, "evaluation_s": 0, "loss": 1.0, "score": 0.5}'
    (run_dir / CURVE_FILE).write_text(f'{{"curve": [{point}], "planned_steps": 9}}')


def made(
    run_dir: Path,
    exit_code: int | None,
    role: Role | None = None,
    time_limit_factor: float = 1.0,
    log: bytes = b"what the workers said\n",
    **fields: Any,
) -> Record:
    (run_dir / LOG_FILE).write_bytes(log)
    cell = Cell.model_validate({"workload": "fnn", "strategy": "serial", **fields})
    return make_record(
        cell,
        run_dir,
        suite="a",
        launcher="processes",
        commands=[LaunchCommand(role=Role.WORKER, argv=worker_argv(run_dir))],
        end=LaunchEnd(exit_code=exit_code, wall_s=1.0, role=role),
        started_at=datetime.now(UTC),
        time_limit_factor=time_limit_factor,
        first_exchange=first_exchange_step(cell, plan_of(cell, cell.num_samples)),
        settings={},
    )
