"""Puts the report together and writes it: index.html, summary.md, figures/ (SVG, PNG, CSV) and data/ (the frames).

The page asks the network for nothing: styles, script and drawings are in it, and its policy forbids the rest.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment
from markupsafe import Markup

from harness.analysis.comparable import Pool, pools, why_split
from harness.analysis.export import csv_of
from harness.analysis.intervals import CONFIDENCE
from harness.analysis.loading import FRAME_NAMES, Results, load_all, with_trials
from harness.analysis.parquet import write_parquet
from harness.analysis.tuned import are_trials
from harness.plain_text import counted
from harness.records.parity_record import newest_parity
from harness.records.results_folder import ResultsError, make_output_folder, writing_to
from harness.report.against_baseline import comparisons
from harness.report.answer import NO_CONTEST
from harness.report.base_page import page_environment, style_of, write_figures
from harness.report.brief_answer import BriefAnswer, brief_answer
from harness.report.cautions import warnings
from harness.report.chapters import CHAPTERS, FIRST_SCREEN, Chapter
from harness.report.conditions import conditions
from harness.report.facets import PoolFacets, facets_of
from harness.report.figures import drawing_of
from harness.report.findings import Finding, findings
from harness.report.frameworks import frameworks_sentence, frameworks_table
from harness.report.headline import differing_in_all
from harness.report.judged import judged_contests
from harness.report.leaderboard import board_names
from harness.report.legend import MARK_PATHS, LegendEntry, legend_of
from harness.report.material import Figure, Material, material
from harness.report.matrix import across_problems, matrices
from harness.report.recommendation import Recommendation, recommendations
from harness.report.style import Panel, strategy_looks, themed
from harness.report.table_cells import Table, markdown
from harness.report.tables import NOT_IN_BRIEF, SUMMARY_TABLE, TIME
from harness.report.what_changed import Earlier, WhatChanged
from harness.report.wording import percent

PAGE = "index.html"
SUMMARY = "summary.md"


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the first screen says of one contest: the line, the picture, and what backs them, folded."""

    anchor: str
    facets: Markup  # an attribute: by what a reader may narrow it away
    answer: BriefAnswer
    num_entrants: int
    has_bounds: bool  # whether some entrant has only a lower bound
    panels: tuple[Panel, ...]  # the first rows of the leaderboard, and where there are more the rest
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class FilledChapter:
    """A chapter with what stands in it."""

    anchor: str
    title: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    part: str | None


@dataclass(frozen=True, kw_only=True)
class Section:
    """All that is said about one pool."""

    pool: Pool
    prefix: str  # of its anchors and of the names of its files
    recommendations: list[Recommendation]  # one for each way of tuning
    conditions: str
    legend: tuple[LegendEntry, ...]
    boards: tuple[Board, ...]
    differing: str  # settings in which entrants differ, where several boards would say the same of them; else empty
    warnings: tuple[str, ...]
    chapters: tuple[FilledChapter, ...]
    about: tuple[tuple[str, str], ...]
    facets: PoolFacets
    matrices: tuple[Table, ...]
    changed: WhatChanged | None

    @property
    def summary(self) -> Table:
        """Of its chapters' tables the one with all numbers."""
        tables = (table for chapter in self.chapters for table in chapter.tables)
        return next(table for table in tables if table.name == f"{self.prefix}{SUMMARY_TABLE}")

    @property
    def panels(self) -> Iterator[Panel]:
        for board in self.boards:
            yield from board.panels
        for chapter in self.chapters:
            for figure in chapter.figures:
                yield from figure.panels


def write_report(folders: Sequence[str | Path], out: str | Path, *, against: Path | None = None) -> Path:
    """Writes the report of these results folders into `out` and returns the page.

    against: an earlier report's folder, or results of before; the page then says what changed since.

    Raises ResultsError where results cannot be read or hold no run, or where nothing can be written into `out`.
    """
    results = load_all(*with_trials(folders))
    runs = results.runs[~are_trials(results.runs)]
    if runs.empty:
        what = "no record" if results.runs.empty else "no record but of tuning's trials"
        raise ResultsError(f"{', '.join(map(str, folders))}: {what} in it; `hvdbench run SUITE` makes some")
    parity = newest_parity(map(Path, folders))
    target = Path(out)
    make_output_folder(target)
    sections = sections_of(results, Earlier.of(against) if against else None)
    names = sorted(runs["results"].unique())
    context = {"sections": sections, "questions": _questions(runs), "split": why_split(runs),
               "cautions": (*results.cautions, *parity.cautions), "runs": runs, "names": names,
               "frameworks": frameworks_table(parity.records),
               "frameworks_sentence": frameworks_sentence(parity.records, names[0]),
               "made_at": datetime.now(UTC)}  # fmt: skip
    texts = {SUMMARY: _environment().get_template("summary.md").render(context), PAGE: _render_page(context)}
    with writing_to(target, "-o"):
        write_figures(_panels(sections), target / "figures")
        _write_frames(results, target / "data")
        for name, text in texts.items():
            (target / name).write_text(text, encoding="utf-8")
    return target / PAGE


def _questions(runs: pd.DataFrame) -> list[str]:
    """That the suites of these runs say they answer."""
    return [str(question) for question in runs["question"].dropna().unique()]


def _panels(sections: Sequence[Section]) -> Iterator[Panel]:
    for section in sections:
        yield from section.panels


def _write_frames(results: Results, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in FRAME_NAMES:
        frame: pd.DataFrame = getattr(results, name)
        write_parquet(frame, folder / f"{name}.parquet")
    (folder / "runs.csv").write_text(csv_of(results.runs), encoding="utf-8")


def sections_of(results: Results, earlier: Earlier | None = None) -> list[Section]:
    parts = pools(results.runs)
    facets, of_strategies = facets_of(parts), strategy_looks(results.runs)
    sections = []
    with themed():
        for position, (pool, judged) in enumerate(zip(parts, judged_contests(parts), strict=True)):
            prefix = f"{position}-" if position else ""
            given = material(results, pool, judged, comparisons(pool), of_strategies, prefix)
            sections.append(_section(given, facets.of_pool(pool), earlier))
    return sections


def _section(given: Material, facets: PoolFacets, earlier: Earlier | None) -> Section:
    pool, prefix = given.pool, given.prefix
    with drawing_of(given) as drawn:
        found, across = findings(pool, given.judged, given.comparisons), across_problems(given.judged)
        tables = {chapter.name: _tables(chapter, pool, prefix) for chapter in CHAPTERS}
        figures = drawn()
    differing = differing_in_all([judged.contest for judged in given.judged if judged.is_comparison])
    boards = _boards(given, figures.get(FIRST_SCREEN.name, ()), found, facets, tell_settings=not differing)
    anchors = {board.answer.name: board.anchor for board in boards}
    filled = (
        _filled(chapter, pool, prefix, figures.get(chapter.name, ()), tables[chapter.name]) for chapter in CHAPTERS
    )
    return Section(
        pool=pool,
        prefix=prefix,
        recommendations=recommendations(given.judged, across),
        conditions=conditions(pool),
        legend=legend_of(pool.launches, given.of_strategies),
        boards=tuple(boards),
        differing=differing,
        warnings=tuple(warnings(pool)),
        chapters=tuple(chapter for chapter in filled if chapter.figures or chapter.tables or chapter.part),
        about=_about(pool.launches),
        facets=facets,
        matrices=tuple(matrices(across, given.judged, set(pool.launches["aim"]), anchors, prefix)),
        changed=earlier.what_changed(given.judged, pool, prefix) if earlier else None,
    )


def _boards(
    given: Material, drawn: Sequence[Figure], found: Sequence[Finding], facets: PoolFacets, *, tell_settings: bool
) -> list[Board]:
    """One a contest: those in which something is claimed first, those in which nothing is compared last."""
    panels = {panel.name: panel for figure in drawn for panel in figure.panels}
    boards = []
    for judged, finding in zip(given.judged, found, strict=True):
        names = board_names(given, judged)
        boards.append(
            Board(
                anchor=names[0],
                facets=facets.of_contest(judged.contest),
                answer=brief_answer(judged, tells_settings=tell_settings),
                num_entrants=len(judged.rows),
                has_bounds=any(row.is_lower_bound for row in judged.rows),
                panels=tuple(panels[name] for name in names if name in panels),
                finding=finding,
            )
        )
    return sorted(boards, key=lambda board: (board.answer.rank, -board.num_entrants))


def _tables(chapter: Chapter, pool: Pool, prefix: str) -> tuple[Table, ...]:
    """Those in which there is something."""
    tables = (table_of(pool, prefix) for table_of in chapter.tables)
    return tuple(table for table in tables if table.rows)


def _filled(
    chapter: Chapter, pool: Pool, prefix: str, figures: tuple[Figure, ...], tables: tuple[Table, ...]
) -> FilledChapter:
    return FilledChapter(
        anchor=f"{prefix}{chapter.name}",
        title=chapter.title,
        figures=figures,
        tables=tables,
        part=chapter.part if chapter.has_part(pool) else None,
    )


def _about(runs: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    first = runs.iloc[0]
    of_gpus = [*(f"GPU driver {one}" for one in _each(runs, "gpu_driver")), *_each(runs, "gpu_libraries")]
    earliest, latest = (f"{moment(runs['started_at']):%F %H:%M}" for moment in (min, max))
    said = {
        "machine": ", ".join(filter(None, [first["cpu"], counted(first["num_cores"], "core"), first["gpus"]])),
        "fingerprint": first["fingerprint"],
        "versions": ", ".join([first["versions"], *of_gpus]),
        "harness commit": ", ".join(sorted(runs["revision"].dropna().unique())) or "unknown",
        "suites": ", ".join(sorted(runs["suite"].unique())),
        "launches": f"{len(runs)}, started {earliest} to {latest} UTC",
        "settings of environment and launch": _distinct(runs, "process_settings", "horovod_settings", "mpi_settings"),
        "settings of the first launch": "unknown" if pd.isna(first["settings"]) else str(first["settings"]),
    }
    return tuple(said.items())


def _distinct(runs: pd.DataFrame, *columns: str) -> str:
    return "; ".join(sorted({value for column in columns for value in _each(runs, column)})) or "none"


def _each(runs: pd.DataFrame, column: str) -> list[str]:
    return [value for value in runs[column].unique() if value]


def _render_page(context: dict[str, Any]) -> str:
    environment = _environment()
    script = environment.get_template("page.js").render().strip()
    return environment.get_template("page.html").render(
        **context,
        choices=list(facets_of([section.pool for section in context["sections"]]).choices),
        style=style_of(environment, _panels(context["sections"])),
        script=script,
        script_hash=_hash_of(script),
    )


def _environment() -> Environment:
    environment = page_environment()
    environment.filters["python"] = repr
    environment.filters["counted"] = counted
    environment.filters["shell"] = lambda text: shlex.quote(str(text))
    environment.globals["mark_paths"] = MARK_PATHS
    environment.globals["no_contest"] = NO_CONTEST
    environment.globals["confidence"] = percent(CONFIDENCE, 0)
    environment.globals["markdown_table"] = lambda table: markdown(table, NOT_IN_BRIEF, by=TIME)
    return environment


def _hash_of(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
