"""Narrow terminals and poor encodings: nothing is cut off, nothing breaks."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from harness.progress import outcome_of
from harness.terminal import fitting_table, take_any_text, training_in_words
from tests.command import hvdbench, records_in, write_suite
from tests.sample_records import finished

COLUMNS = {
    "workload": ["cnn"] * 3,
    "strategy": ["delayed-averaging merge=pullback", "allreduce-flat", "serial"],
    "workers × threads": ["2 × 1", "2 × 1", "1 × 1"],
    "device": ["cpu"] * 3,
    "over": ["gloo", "gloo", "this machine"],
}


def shown(width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(fitting_table("why?", COLUMNS, whole="strategy", console=console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [200, 80, 60, 40])
def test_table_cuts_no_name_off(width: int) -> None:
    said = shown(width)
    assert "…" not in said
    for name in ("delayed-averaging", "allreduce-flat", "serial"):
        assert name in said
    assert max(map(len, said.splitlines())) <= width


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
    assert training_in_words(0.5, 1234.5, 0.25) == "50% · 1,234 samples/s · loss 0.250"
    for loss in (math.nan, math.inf):
        assert training_in_words(0.5, 1234.5, loss) == "50% · 1,234 samples/s · diverged"
    record = finished()
    (point,) = record.curve
    assert "accuracy 75" in outcome_of(record)
    lost = record.model_copy(update={"curve": [point.model_copy(update={"loss": math.nan})]})
    assert "diverged" in outcome_of(lost)
    assert "accuracy 75" not in outcome_of(lost)


def test_streams_of_an_embedder_are_left_alone() -> None:
    take_any_text(io.StringIO())
