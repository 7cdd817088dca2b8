"""Narrow terminals and poor encodings: nothing is cut off, nothing breaks."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from harness.bootstrap.pins import ROOT
from harness.cli import app
from harness.doctor import Diagnostic
from harness.progress import console, outcome_of, show_diagnostics
from harness.records.titles import differing_of
from harness.suite.suite import Suite
from harness.terminal import fitting_table, take_any_text, training_in_words
from tests.command import hvdbench, records_in, write_suite
from tests.sample_records import finished

SUITES = sorted([*(ROOT / "suites").glob("*.yaml"), *(ROOT / "suites" / "own").glob("*.yaml")])  # others: Kubernetes'
ENDS = {"┏": "┓", "┃": "┃", "┡": "┩", "│": "│", "└": "┘"}  # of a table's lines, by how they begin
BORDERS = dict.fromkeys(map(ord, "┃│,"), " ")
COLUMNS = {
    "workload": ["cnn"] * 3,
    "strategy": ["delayed-averaging merge=pullback", "allreduce-flat", "serial"],
    "workers × threads": ["2 × 1", "2 × 1", "1 × 1"],
    "device": ["cpu"] * 3,
    "over": ["gloo", "gloo", "this machine"],
}


def shown(width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(fitting_table("why?", COLUMNS, leading="strategy", console=console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [200, 80, 60, 40])
def test_table_cuts_no_name_off(width: int) -> None:
    said = shown(width)
    assert "…" not in said
    for name in ("delayed-averaging", "allreduce-flat", "serial"):
        assert name in said
    assert max(map(len, said.splitlines())) <= width


@pytest.fixture
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The console as wide as the parameter says, in this process."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    console.cache_clear()
    yield request.param
    console.cache_clear()


@pytest.mark.parametrize("narrow", [200], indirect=True)
def test_width_that_was_asked_for_is_that_of_a_dumb_terminal_too(narrow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on many CI services, whose colours are forced."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().width == narrow


def facts_of_any(name: str, folder: str, framework: str | None) -> dict[str, Any]:
    """Of a workload that nobody trains here."""
    own = {
        "code": "0" * 16,
        "metric": {"name": "accuracy", "better": "higher"},
        "sample_unit": "row",
        "num_samples": 1000,
    }
    recipe = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0.0, "epochs": 6.0}
    return {"own": own, "recipe": recipe, "framework": framework or "torch"}


def words_of_matrix(suite: Suite) -> set[str]:
    """All that the table of a suite says of its cells."""
    points = {cell.group: cell for cell in suite.cells}
    said = [suite.question, *chain.from_iterable(differing_of(cell.stored() for cell in points.values()).values())]
    for cell in suite.cells:
        over = cell.controller or "this machine"
        said += [cell.workload, cell.dataset or "", cell.strategy_label, cell.framework, cell.device, over]
    return set(" ".join(said).replace(",", " ").split())


@pytest.mark.parametrize("narrow", [80, 60], indirect=True)
def test_what_the_doctor_found_is_shown_whole(narrow: int, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://example.org/a-folder/of-archives/another/fashion.tar.gz"  # 63 signs
    found = [
        Diagnostic(what="machine", present=True, found="Xeon [v3], 2 cores"),
        Diagnostic(what="dataset fashion-mnist", present=False, found="missing", mend=f"or HVDBENCH_DATA, from {url}"),
    ]
    show_diagnostics(found)
    lines = capsys.readouterr().out.splitlines()
    words = " ".join(lines).split()
    assert {"✓", "machine", "[v3],", "–", "fashion-mnist", "missing", "HVDBENCH_DATA,"} <= set(words)
    assert (url in words) == (narrow == 80)  # where not even the longest word fits, it is broken
    assert max(map(cell_len, lines)) <= narrow


@pytest.mark.parametrize("narrow", [80, 60], indirect=True)
@pytest.mark.parametrize("command", [["show"], ["run", "--dry-run"]], ids=" ".join)
@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suite_is_shown_whole(
    path: Path, command: list[str], narrow: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.run.feasible.first_obstacle", lambda *_: None)  # shown as where it can run
    monkeypatch.setattr("harness.suite.suite.own_facts", facts_of_any)
    shown = CliRunner().invoke(app, [*command, str(path), "--results", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    for line in shown.stdout.splitlines():
        assert cell_len(line) <= narrow
        assert ENDS.get(line[0], line[-1]) == line[-1]
    assert words_of_matrix(Suite.load(path)) - set(shown.stdout.translate(BORDERS).split()) == set()


def test_row_is_a_paragraph_where_words_do_not_fit_side_by_side() -> None:
    lines = [line.rstrip() for line in shown(40).splitlines()]
    assert lines[:2] == ["why?", "in all: workload cnn · device cpu"]
    assert lines[-3:] == ["serial", "  workers × threads 1 × 1 · over this", "  machine"]


def test_narrow_table_says_once_what_is_the_same_in_every_row() -> None:
    assert "in all" not in shown(200)
    assert "in all: workload cnn · device cpu" in shown(60)


def test_stream_shows_what_its_encoding_lacks_as_the_nearest_sign() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    take_any_text(stream)
    stream.write("2 × 1 · Größe …")
    stream.flush()
    assert raw.getvalue() == b"2 x 1 - Gr??e ~"


@pytest.mark.parametrize(
    "environ",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ascii streams", "ascii everywhere"],
)
def test_commands_work_on_an_ascii_console(tmp_path: Path, environ: dict[str, str]) -> None:
    suite = write_suite(tmp_path / "s.yaml", "{workload: fnn, strategy: serial, epochs: 1}")
    suite.write_text(suite.read_text().replace("does it run?", "2 × 1 läuft?"), encoding="utf-8")
    for command in (["run"], ["show"]):
        code, out, errors = hvdbench(*command, suite, "--results", tmp_path / "r", environ=environ)
        assert (code, errors) == (0, "")
        assert out.isascii()
    assert "2 x 1 l?uft?" in out
    assert records_in(tmp_path / "r")[0]["status"] == "ok"
    assert hvdbench("list", "strategies", environ=environ)[0] == 0


def test_loss_that_is_no_number_is_divergence() -> None:
    assert training_in_words(0.5, 1234.5, 0.25, sample_unit="frame") == "50% · 1,234 frames/s · loss 0.250"
    for loss in (math.nan, math.inf):
        assert training_in_words(0.5, 1234.5, loss, sample_unit="") == "50% · 1,234 samples/s · diverged"
    record = finished()
    (point,) = record.curve
    assert "accuracy 75" in outcome_of(record)
    assert " images/s over " in outcome_of(record)
    lost = record.model_copy(update={"curve": [point.model_copy(update={"loss": math.nan})]})
    assert "diverged" in outcome_of(lost)
    assert "accuracy 75" not in outcome_of(lost)


def test_streams_of_an_embedder_are_left_alone() -> None:
    take_any_text(io.StringIO())
