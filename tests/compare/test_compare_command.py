"""`hvdbench compare` with real launches, and what it refuses in one message before any."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare import compare_command
from harness.compare.comparison_folder import ComparisonFolder
from harness.compare.request import CompareError
from harness.launchers.hosts import this_machine
from harness.plain_text import one_line
from harness.run.runner import Setting, Summary
from harness.suite.suite import Suite
from tests.command import hvdbench, records_in
from tests.compare.asked import asked
from tests.own_strategy import OWN_STRATEGY, write_own_strategy

ASKED = ("--strategies", "serial,local-sgd", "--workers", "1,2", "--repeats", "2", "--epochs", "4")


def test_compare_plans_runs_reports_answers_and_goes_on(tmp_path: Path) -> None:
    code, output, errors = hvdbench("compare", "fnn", *ASKED, cwd=tmp_path)
    assert (code, errors) == (0, "")
    here = tmp_path / "compare" / "fnn"
    records = records_in(here / "results" / "fnn")
    assert {record["status"] for record in records} == {"ok"}
    cells = {cell.key: (cell.strategy, cell.workers) for cell in Suite.load(here / "fnn.yaml").cells}
    assert {record["cell"]["key"] for record in records} == set(cells)  # type: ignore[index]
    assert set(cells.values()) == {("serial", 1), ("local-sgd", 1), ("local-sgd", 2)}
    assert len(records) == 6
    assert len(records_in(here / "measured")) == 2
    assert "6 launches, 2 of each cell, about " in output
    assert "each trains for 4 epochs (as asked for: the recipe's target may be out of reach), to accuracy 96%" in output
    headline = next(line for line in output.splitlines() if line.startswith("fnn on digits, recipe: "))
    assert headline in one_line((here / "report" / "summary.md").read_text().replace("\\", ""))  # the page's own words
    assert "6 ran, 0 failed. Records are in compare/fnn/results/fnn" in output
    assert "report: compare/fnn/report/index.html" in output

    # As an interrupted command leaves it, and a plan that was edited meanwhile: seed 0 alone.
    first = Suite.load(here / "fnn.yaml").cells[0].with_seed(0)
    next((here / "results" / "fnn").glob(f"{first.key}-*.json")).unlink()
    (here / "fnn.yaml").write_text((here / "fnn.yaml").read_text().replace("repeats: 2", "repeats: 1"))
    code, output, _ = hvdbench("compare", "fnn", *ASKED, cwd=tmp_path)
    assert code == 0
    assert output.startswith("compare/fnn/fnn.yaml: planned already, and gone on with; --fresh plans anew")
    assert "fnn: 3 launches, 2 done" in output
    assert "1 ran, 0 failed" in output
    assert len(records_in(here / "results" / "fnn")) == 6
    assert len(records_in(here / "measured")) == 2

    code, _, errors = hvdbench("compare", "fnn", *ASKED, "--minutes", "30", cwd=tmp_path)
    assert code == 2
    assert errors.startswith("hvdbench: compare/fnn: holds another plan: minutes 20 (now 30). Allowed: ")


@pytest.mark.parametrize(("framework", "strategies"), [("torch", "serial,hogwild"), ("keras", "serial")])
def test_compare_of_a_file_that_new_wrote_is_an_answer_about_it(
    tmp_path: Path, framework: str, strategies: str
) -> None:
    assert hvdbench("new", "workload", "mine.py", "--framework", framework, cwd=tmp_path)[0] == 0
    few = ("--strategies", strategies, "--workers", "2", "--repeats", "1", "--epochs", "3")
    code, output, errors = hvdbench("compare", "mine.py:make", *few, cwd=tmp_path)
    assert (code, errors) == (0, "")
    records = records_in(tmp_path / "compare" / "mine-make" / "results" / "mine-make")
    assert {record["status"] for record in records} == {"ok"}
    assert {record["cell"]["fields"]["strategy"] for record in records} == set(strategies.split(","))  # type: ignore[index]
    assert {record["cell"]["problem"] for record in records} == {"mine.py:make"}  # type: ignore[index]
    assert "mine.py:make" in output


def test_compare_in_too_few_minutes_keeps_no_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_command, "_measured", lambda *_: {("torch", 1): 20.0})
    folder = ComparisonFolder(tmp_path, "fnn")
    with pytest.raises(
        CompareError, match=r"--minutes 1: 3 launches of each of 1 strategies .*; allowed: --minutes 2$"
    ):
        compare_command.compare(
            asked(strategies=["serial"], workers=[1], minutes=1), folder, this_machine(), fresh=False
        )
    assert not folder.suite.exists()


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What is launched, and what of it again; nothing is."""
    settings: list[tuple[str, str | None]] = []

    def noting(suite: Suite, setting: Setting, guess_s: float) -> Summary:
        setting.folder.make()
        settings.append((suite.name, setting.again))
        return Summary(num_ok=0, num_stopped=0, num_failed=0, num_elsewhere=0, num_left=0)

    monkeypatch.setattr(compare_command, "_run", noting)
    monkeypatch.setattr(compare_command, "launch_times_s", lambda *_: {("torch", 1): 1.0, ("torch", 2): 1.0})
    monkeypatch.setattr(compare_command, "paces_of", lambda *_: {})
    monkeypatch.setattr(compare_command, "write_report", lambda *_: tmp_path)
    monkeypatch.setattr(compare_command, "answer_lines", lambda *_: [])
    return settings


def test_compare_does_again_what_it_is_told_to(tmp_path: Path, launched: list[tuple[str, str | None]]) -> None:
    """The plan's launches; what was measured for it is not."""
    request, folder = asked(strategies=["serial"], workers=[1]), ComparisonFolder(tmp_path, "fnn")
    compare_command.compare(request, folder, this_machine(), fresh=False, again="changed")
    assert launched == [("measuring", None), ("fnn", "changed")]


def test_compare_says_what_can_run_and_is_hardly_what_was_meant(
    tmp_path: Path, launched: list[tuple[str, str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 1,437 digits in steps of 64, seven in a third of an epoch: local-sgd averages every eighth."""
    request = asked(strategies=["local-sgd"], workers=[2], epochs=0.3)
    compare_command.compare(request, ComparisonFolder(tmp_path, "fnn"), this_machine(), fresh=False)
    assert "never communicates: its first average is due in step 8, and a worker takes 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fnm",), "compare fnm: workload: 'fnm'; allowed: fnn, cnn, rnn"),
        (("fnn", "--strategies", "serial,adasum"), "compare fnn: strategies: 'adasum'; allowed: serial, allreduce"),
        (("fnn", "--workers", "two"), "compare fnn: workers.0: 'two': Input should be a valid integer"),
        (("fnn", "--again", "some"), "--again some: allowed: changed, what was done with other settings or versions; "),
        (("fnn", "-H", "a:0"), "-H a:0: 'a:0' is no host; allowed: name:slots,name:slots"),
        (("absent.py:make",), "compare: absent.py: no such file in "),
    ],
)
def test_compare_refuses_in_one_message(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, output, errors = hvdbench("compare", *arguments, cwd=tmp_path)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"hvdbench: {message}")
    assert list(tmp_path.iterdir()) == []


def test_compare_of_own_code_that_breaks_says_where(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def make():\n    return 1 / 0\n")
    code, _, errors = hvdbench("compare", "mine.py:make", cwd=tmp_path)
    assert (code, errors.count("\n")) == (2, 1)
    assert errors == "hvdbench: compare: mine.py:make: mine.py, line 2: ZeroDivisionError: division by zero\n"
    assert not (tmp_path / "compare").exists()


def test_compare_refuses_what_could_not_be_measured(tmp_path: Path) -> None:
    """Measuring takes 50 steps, of which the recipe's several hundred say nothing."""
    write_own_strategy(tmp_path, "plan.num_steps // 60")
    code, _, errors = hvdbench("compare", "fnn", "--strategies", OWN_STRATEGY, "--workers", "2", cwd=tmp_path)
    assert (code, errors.count("\n")) == (2, 1)
    assert "strategy: mine.py:Mine: Choices.first_exchange: 0; wanted: the number of a step" in errors


def test_compare_takes_the_hosts_of_its_job(tmp_path: Path) -> None:
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2].invalid", "SLURM_TASKS_PER_NODE": "4(x2)"}
    code, _, errors = hvdbench("compare", "fnm", cwd=tmp_path, environ=job)
    hosts, refused = errors.splitlines()
    assert (code, hosts) == (2, "hvdbench: hosts: n1.invalid:4, n2.invalid:4 of Slurm job 7 (SLURM_JOB_NODELIST)")
    assert refused.startswith("hvdbench: compare fnm: workload: 'fnm'; allowed: ")
    code, _, errors = hvdbench("compare", "fnn", "--cores", "0", cwd=tmp_path, environ=job)
    assert code == 2
    assert "--cores 0: are of this machine; allowed: no other in -H or --hostfile, or of the batch job" in errors
