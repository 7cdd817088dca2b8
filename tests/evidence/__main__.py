"""`python -m tests.evidence`: records what is missing, then writes the table. Interrupted, the same command goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.check.show import watching_pairs
from harness.run.versions import installed_versions
from harness.worker.machine_description import describe_machine
from tests.evidence.protocol import CELLS, FAULTS, NUM_PAIRS, record_all
from tests.evidence.table import evidence_table

START, END = "<!-- check-evidence -->", "<!-- /check-evidence -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evidence", description=__doc__)
    parser.add_argument("--at-rest", type=int, default=20, help="suites of the same arm twice")
    parser.add_argument("--loaded", type=int, default=5, help="the same, with one core busy")
    parser.add_argument("--fault-pairs", type=int, default=NUM_PAIRS, help="pairs recorded of each fault")
    parser.add_argument("--faults", default="", help="only faults whose name contains this")
    parser.add_argument("--results", type=Path, default=Path("results/check-evidence"))
    parser.add_argument("--into", type=Path, help=f"a Markdown file; what is between {START} and {END} is replaced")
    options = parser.parse_args()
    with watching_pairs(CELLS) as watcher:
        recorded = record_all(
            options.results,
            watcher,
            num_at_rest=options.at_rest,
            num_loaded=options.loaded,
            num_fault_pairs=options.fault_pairs,
            faults=tuple(fault for fault in FAULTS if options.faults in fault.name),
        )
    text = evidence_table(recorded, in_words())
    (options.results / "evidence.md").write_text(text, encoding="utf-8")
    if options.into:
        page = options.into.read_text(encoding="utf-8")
        options.into.write_text(between_markers(page, text, START, END), encoding="utf-8")
    print(text)


def in_words() -> str:
    machine, versions = describe_machine(), installed_versions()
    named = ", ".join(f"{name} {versions[name]}" for name in ("torch", "horovod") if name in versions)
    return f"{machine.cpu}, {machine.num_cores} cores, {named}"


def between_markers(page: str, text: str, start: str, end: str) -> str:
    before, found_start, rest = page.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise SystemExit(f"--into: the page has no {start} ... {end}")
    return f"{before}{start}\n{text}{end}{after}"


if __name__ == "__main__":
    main()
