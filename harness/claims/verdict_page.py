"""The page of verdicts: index.html, verdicts.md, verdicts.json, figures/, and the launches behind it as runs.csv."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.analysis.export import csv_of
from harness.claims.claim_picture import drawn
from harness.claims.claim_why import why_in_words
from harness.claims.claim_words import (
    beside_others_in_words,
    conditions_in_words,
    measure_in_words,
    numbers_in_words,
    rule_in_words,
    seeds_in_words,
    seen_in_words,
)
from harness.claims.deciding import Word
from harness.claims.judged_claim import Judged
from harness.claims.numbers import Number
from harness.plain_text import counted
from harness.records.results_folder import make_output_folder, writing_to
from harness.report.base_page import page_environment, style_of, write_figures
from harness.report.style import Panel, themed
from harness.report.wording import percent
from harness.suite.suite import Suite

PAGE, MARKDOWN, VERDICTS, RUNS = "index.html", "verdicts.md", "verdicts.json", "runs.csv"
_COLOURS = {Word.HOLDS: "holds", Word.FAILS: "fails", Word.DEPENDS: "depends", Word.UNTOLD: "untold"}


@dataclass(frozen=True, kw_only=True)
class PageEntry:
    """One row of the page, all of it in words."""

    name: str
    claim: str
    reason: str  # what follows the word
    word: str
    colour: str  # a class of the page's
    number: str
    rule: str
    measure: str
    conditions: str
    seen: str
    seeds: str
    why: tuple[str, ...]
    checks: tuple[tuple[str, str | None], ...]
    panel: Panel | None
    records: tuple[str, ...]  # names of the files


def entries_of(found: Sequence[Judged]) -> list[PageEntry]:
    with themed():
        return [_entry(judged) for judged in found]


def _entry(judged: Judged) -> PageEntry:
    launches = judged.launches.sort_values("started_at")
    return PageEntry(
        name=judged.claim.name,
        claim=judged.claim.rule.claim,
        reason=judged.verdict.reason,
        word=str(judged.verdict.word),
        colour=_COLOURS[judged.verdict.word],
        number=numbers_in_words(judged),
        rule=rule_in_words(judged.claim),
        measure=measure_in_words(judged.claim),
        conditions=conditions_in_words(judged),
        seen=seen_in_words(judged),
        seeds=seeds_in_words(judged),
        why=tuple(why_in_words(judged)),
        checks=tuple((check.asked, check.violation) for check in judged.checks),
        panel=drawn(judged),
        records=tuple(f"{key}-{run}.json" for key, run in zip(launches["key"], launches["run"], strict=True)),
    )


def write_page(suite: Suite, found: Sequence[Judged], out: Path, *, commands: Sequence[str]) -> Path:
    """Into this folder; returns the page. commands: that make it anew. Raises ResultsError."""
    assert suite.deciding is not None, "a suite with claims says how they are decided"
    make_output_folder(out)
    entries = entries_of(found)
    launches = pd.concat([judged.launches for judged in found]).drop_duplicates("run")
    context: dict[str, Any] = {
        "suite": suite,
        "entries": entries,
        "about": about(launches),
        "beside": beside_others_in_words(found, suite.deciding.most_load),
        "commands": commands,
        "error": percent(suite.deciding.error),
        "panels": [entry.panel for entry in entries if entry.panel],
    }
    environment = page_environment("harness.claims")
    style = style_of(environment, context["panels"]) + "\n" + environment.get_template("claims.css").render()
    page = environment.get_template("claims.html").render(**context, style=style)
    with writing_to(out, "-o"):
        (out / PAGE).write_text(page, encoding="utf-8")
        (out / MARKDOWN).write_text(environment.get_template("claims.md").render(**context), encoding="utf-8")
        (out / VERDICTS).write_text(verdicts_json(found), encoding="utf-8")
        (out / RUNS).write_text(csv_of(launches), encoding="utf-8")
        write_figures(context["panels"], out / "figures")
    return out / PAGE


def verdicts_json(found: Sequence[Judged]) -> str:
    """The same for the same records, to the byte."""
    content = {
        judged.claim.name: {
            "claim": judged.claim.rule.claim,
            "verdict": str(judged.verdict.word),
            "because": judged.verdict.because,
            "rule": judged.claim.digest,
            "numbers": [_as_json(each) for each in judged.numbers],
            "violations": [check.violation for check in judged.checks if check.violation],
        }
        for judged in found
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _as_json(found: Number) -> dict[str, Any]:
    interval = found.interval
    told = {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "seen": found.seen}
    # JSON has no word for what is not known, or has no end.
    finite = {name: value if math.isfinite(value) else None for name, value in told.items()}
    return {"case": found.case, "n": interval.n, "method": interval.method, **finite}


def about(launches: pd.DataFrame) -> str:
    """Machine, date, commits, number of launches."""
    if launches.empty:
        return "No launch"
    machines = sorted(
        {f"{cpu}, {counted(num, 'core')}" for cpu, num in zip(launches["cpu"], launches["num_cores"], strict=True)}
    )
    harness, rules = _commits(launches["revision"]), _commits(launches["rules_commit"])
    said = f"rules committed as {rules}" if rules else "rules of no commit"
    first, last = launches["started_at"].min(), launches["started_at"].max()
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%F %H:%M}"
    return (
        f"{counted(len(launches), 'launch', 'launches')} on {'; '.join(machines)}, "
        f"{first:%F %H:%M} to {until} UTC, load average "
        f"{launches['load_1min'].median():.1f}; harness {harness or 'of no commit'}, {said}"
    )


def _commits(told: pd.Series[str]) -> str:
    """`daa44191606b but for 3 launches`; empty where none has one."""
    found, num_without = sorted(told.dropna().unique()), int(told.isna().sum())
    without = f" but for {counted(num_without, 'launch', 'launches')}" if found and num_without else ""
    return ", ".join(found) + without
