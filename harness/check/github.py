"""What GitHub shows of a check: a step summary in Markdown, an annotation for each failure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.verdict import CellVerdict, Comparison, Outcome, Verdict
from harness.check.wording import size, value_in_words

_SIGNS = {
    Outcome.FINE: "✅ fine",
    Outcome.REGRESSION: "❌ regression",
    Outcome.INCONCLUSIVE: "❔ inconclusive",
    Outcome.REPORTED: "reported",
}


def summary(verdict: Verdict) -> str:
    """A Markdown table, failures first."""
    lines = [f"## {_escaped(verdict.headline)}", ""]
    lines += [f"- {_escaped(note)}" for note in (*verdict.incomparable, *verdict.notes)]
    lines += ["", "| cell | metric | A | B | effect | would be caught | verdict |", "|---|---|---|---|---|---|---|"]
    for cell in verdict.cells:
        if cell.failure or cell.unjudged:
            sign = f"❌ {cell.failure}" if cell.failure else "❔ inconclusive"
            lines.append(_row(cell.title, "runs", "", "", cell.words or cell.unjudged or "", "", sign))
    order = (Outcome.REGRESSION, Outcome.INCONCLUSIVE, Outcome.FINE, Outcome.REPORTED)
    for cell, comparison in sorted(verdict.comparisons, key=lambda pair: order.index(pair[1].outcome)):
        lines.append(_comparison_row(cell, comparison))
    return "\n".join(lines) + "\n"


def _comparison_row(cell: CellVerdict, found: Comparison) -> str:
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
        if found.outcome == Outcome.REGRESSION:
            yield _command("error", f"hvdbench: {found.metric}", f"{cell.title}: {found.words}")
        if found.outcome == Outcome.INCONCLUSIVE:
            yield _command("warning", "hvdbench: inconclusive", f"{cell.title}: {found.metric}: {found.words}")


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """As @actions/core escapes it: a message cannot start another command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(*cells: str) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Text of a record cannot become markup: no table cell, tag, link or line of its own."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("[", "&#91;"), ("`", "&#96;"), ("*", "&#42;")):
        text = text.replace(sign, safe)
    return " ".join(text.split())
