"""The files a check leaves, each in the form in which one kind of reader wants it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.check import github, trackers
from harness.check.junit import junit_xml
from harness.check.picture import draw_pairs
from harness.check.verdict import Verdict
from harness.records.results_folder import writing_to

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def write_outputs(verdict: Verdict, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Writes all files and returns their paths; on GitHub first the annotations and the step's summary.

    Raises ResultsError where something cannot be written. The surest comes first, the drawing last: what fails leaves
    what went before.
    """
    _tell_github(verdict, environ)
    with writing_to(folder, "-o"):
        return _write_files(verdict, folder)


def _tell_github(verdict: Verdict, environ: Mapping[str, str]) -> None:
    if environ.get("GITHUB_ACTIONS") == "true":
        for line in github.annotation_lines(verdict):
            print(line, flush=True)
    if SUMMARY_VARIABLE in environ:
        path = Path(environ[SUMMARY_VARIABLE])
        with writing_to(path, SUMMARY_VARIABLE), path.open("a", encoding="utf-8") as summary:
            summary.write(github.summary(verdict))


def _write_files(verdict: Verdict, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "verdict.json": verdict.to_json(),
        "junit.xml": junit_xml(verdict),
        "summary.md": github.summary(verdict),
        "benchmark-bigger-is-better.json": trackers.github_action_benchmark(verdict, better="higher"),
        "benchmark-smaller-is-better.json": trackers.github_action_benchmark(verdict, better="lower"),
        "bencher.json": trackers.bencher(verdict),
    }
    written = []
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written + draw_pairs(verdict, folder)
