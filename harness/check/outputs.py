"""The files a check leaves, each in the form in which one kind of reader wants it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.check import github, trackers
from harness.check.junit import junit_xml
from harness.check.picture import draw_pairs
from harness.check.verdict import Verdict


def write_outputs(verdict: Verdict, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Writes all files and returns their paths; on GitHub also the step's summary and annotations."""
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
    written += draw_pairs(verdict, folder)
    if "GITHUB_STEP_SUMMARY" in environ:
        with Path(environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
            summary.write(texts["summary.md"])
    if environ.get("GITHUB_ACTIONS") == "true":
        for line in github.annotation_lines(verdict):
            print(line, flush=True)
    return written
