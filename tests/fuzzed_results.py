"""`python -m tests.fuzzed_results`: results with odd values in random places, reported and checked from end to end.

Each round spoils some places of some records of a small comparison. Whatever stands there, a page, an answer in the
terminal and a check come out, and every file is either used or set aside with a caution that names it.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import shutil
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.loading import load_all
from harness.check.outputs import write_outputs
from harness.check.stored import compare
from harness.records.results_folder import ResultsError
from harness.report.answer import answer_lines
from harness.report.page import write_report
from harness.suite.gates import CheckSettings
from tests.analysis.handmade import comparison

GONE = object()  # the key with its value
ODD: tuple[Any, ...] = (
    *(None, True, [], {}, "", "x", "NaN", GONE),
    *(0, -1, 0.5, 2**31, 2**62, 10**400, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *("<script>alert(1)</script>", "[bold red]x[/bold]", "](javascript:x)|\n# ", "x" * 5000),
    *("\x1b[2J\x00\x9b", "\u202eolleh\u2066", "\uffff\ufeff", "ابجد", "$\\frac{1}{0}$", "2026-13-45T99:00"),
)
TIMES = {"serial": (6.0, 6.5, 7.0), "allreduce": (4.0, 4.2, 4.4), "hogwild": (1.9, 2.3, 2.2)}


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys on the way to each value."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*at, key)
        yield from places(value, (*at, key))


def with_odd(content: dict[str, Any], place: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    """A copy; as it was where the place is no longer there."""
    changed = copy.deepcopy(content)
    within: Any = changed
    try:
        for key in place[:-1]:
            within = within[key]
        within[place[-1]] = odd
        if odd is GONE:
            del within[place[-1]]
    except (KeyError, IndexError, TypeError):
        return content
    return changed


def spoiled(whole: Sequence[dict[str, Any]], rng: random.Random) -> tuple[list[dict[str, Any]], list[str]]:
    """Some places of some of these records changed, and what was done: of one record, or the same in each."""
    contents, said = list(whole), []
    for _ in range(rng.randint(1, 3)):
        place, odd = rng.choice(list(places(rng.choice(whole)))), rng.choice(ODD)
        chosen = range(len(contents)) if rng.random() < 0.3 else [rng.randrange(len(contents))]
        said.append(f"{place} of {'all' if len(chosen) > 1 else chosen[0]} = {str(odd)[:40]!r}")
        for position in chosen:
            contents[position] = with_odd(contents[position], place, odd)
    return contents, said


def folder_of_contents(contents: Sequence[dict[str, Any]], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for position, content in enumerate(contents):
        (folder / f"{position:016x}-{position:012x}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def go_through(results: Path, untouched: Path, out: Path, *, with_drawings: bool) -> None:
    """Answer and verdict; with drawings also the page and the files. AssertionError where a file is neither used nor
    named."""
    try:
        loaded = load_all(results)
    except ResultsError:
        assert _none_is_usable(results)
        return
    named = sum(any(_names(caution, path) for caution in loaded.cautions) for path in results.glob("*.json"))
    assert len(loaded.runs) + named == len(list(results.glob("*.json"))), loaded.cautions
    answer_lines([results])
    try:
        verdict = compare(untouched, results, CheckSettings.model_validate({}))
    except ResultsError as error:  # of another suite, or no cell in common
        assert str(results) in str(error)  # noqa: PT017
    else:
        verdict.to_json()
        if with_drawings:
            write_outputs(verdict, out / "check", {})
    if with_drawings:
        write_report([results], out / "page", against=untouched)


def _none_is_usable(results: Path) -> bool:
    for path in results.glob("*.json"):
        alone = results.parent / "alone"
        alone.mkdir()
        shutil.copy(path, alone)
        try:
            load_all(alone)
        except ResultsError:
            continue
        else:
            return False
        finally:
            shutil.rmtree(alone)
    return True


def _names(caution: str, path: Path) -> bool:
    content = json.loads(path.read_text(encoding="utf-8"))
    return path.name in caution or f"launch {content.get('id')} " in caution


def whole_contents() -> list[dict[str, Any]]:
    """Records of three strategies with three seeds each."""
    contents: list[dict[str, Any]] = [json.loads(one.model_dump_json()) for one in comparison(TIMES)]
    return contents


def one_round(whole: Sequence[dict[str, Any]], number: int, folder: Path, *, with_drawings: bool) -> str | None:
    """What was done and how it broke; None where it did not."""
    contents, said = spoiled(whole, random.Random(number))
    try:
        untouched = folder_of_contents(whole, folder / "untouched")
        go_through(folder_of_contents(contents, folder / "results"), untouched, folder, with_drawings=with_drawings)
    except Exception:  # whatever it is: that is what is looked for
        return f"round {number}: {'; '.join(said)}\n{traceback.format_exc()}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzed_results", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first round, which is its seed")
    parser.add_argument("--pages", type=int, default=10, help="a page in every so many rounds, which takes the longest")
    options = parser.parse_args()
    whole, num_broken = whole_contents(), 0
    for number in range(options.first, options.first + options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            broken = one_round(whole, number, Path(folder), with_drawings=number % options.pages == 0)
        if broken:
            num_broken += 1
            print(broken, flush=True)
    print(f"{num_broken} of {options.rounds} rounds broke")


if __name__ == "__main__":
    main()
