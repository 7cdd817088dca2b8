"""What GitHub shows of a check: a step summary in Markdown, an annotation for each failure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.effect_wording import size, value_in_words
from harness.check.verdict import CellVerdict, MetricComparison, Outcome, Verdict
from harness.markdown import escape_markdown
from harness.plain_text import one_line

_SIGNS = {  # in the order of the summary
    Outcome.REGRESSION: "❌ regression",
    Outcome.MISSING: "❌ missing",
    Outcome.INCONCLUSIVE: "❔ inconclusive",
    Outcome.FINE: "✅ fine",
    Outcome.REPORTED: "reported",
}


def summary(verdict: Verdict) -> str:
    """A Markdown table, failures first."""
    lines = [f"## {escape_markdown(verdict.headline)}", ""]
    lines += [f"- {escape_markdown(note)}" for note in (*verdict.incomparable, *verdict.notes)]
    headings = ("cell", "metric", "median of A", "median of B", "effect within pairs", "would be caught", "verdict")
    lines += ["", _row(*headings), "|---|---|---|---|---|---|---|"]
    rows: dict[Outcome, list[str]] = {outcome: [] for outcome in _SIGNS}
    for cell in verdict.cells:
        if cell.failure:
            row = _row(cell.title, "launches", "", "", cell.words, "", f"❌ {cell.failure}")
            rows[Outcome.REGRESSION].append(row)
        if cell.unjudged:
            row = _row(cell.title, "launches", "", "", cell.unjudged, "", _SIGNS[Outcome.INCONCLUSIVE])
            rows[Outcome.INCONCLUSIVE].append(row)
    for cell, found in verdict.comparisons:
        rows[found.outcome].append(_comparison_row(cell, found))
    lines += [row for outcome in _SIGNS for row in rows[outcome]]
    return "\n".join(lines) + "\n"


def _comparison_row(cell: CellVerdict, found: MetricComparison) -> str:
    a, b = (value_in_words(value, found.unit) for value in found.medians)
    caught = size(found.smallest_caught, found.scale)
    return _row(cell.title, found.metric, a, b, found.words, caught, _SIGNS[found.outcome])


def annotation_lines(verdict: Verdict) -> Iterator[str]:
    """Workflow commands, one line each."""
    for cell in verdict.cells:
        if cell.failure:
            yield _command("error", f"hvdbench: {cell.failure}", f"{cell.title}: {cell.words}")
        if cell.unjudged:
            yield _command("warning", "hvdbench: inconclusive", f"{cell.title}: {cell.unjudged}")
    for cell, found in verdict.comparisons:
        if found.outcome.is_failure:
            yield _command("error", f"hvdbench: {found.metric}", f"{cell.title}: {found.words}")
        if found.outcome == Outcome.INCONCLUSIVE:
            yield _command("warning", "hvdbench: inconclusive", f"{cell.title}: {found.metric}: {found.words}")


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """As @actions/core escapes it, once it is one line: a message cannot start another command."""
    return one_line(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(*cells: str) -> str:
    return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"
