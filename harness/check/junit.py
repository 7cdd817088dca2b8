"""JUnit XML, which every CI system shows: a failure for a regression, "skipped" with a message for inconclusive."""

from __future__ import annotations

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.check.verdict import CellVerdict, Outcome, Verdict
from harness.plain_text import shown


def junit_xml(verdict: Verdict) -> str:
    """One test case a gated comparison, or a cell whose launches failed."""
    suite = TestSuite(shown(f"hvdbench check {verdict.suite}"))
    for name, value in (("A", verdict.arm_a), ("B", verdict.arm_b), ("verdict", verdict.headline)):
        suite.add_property(name, shown(value))
    for cell in verdict.cells:
        for case in _cases(cell):
            suite.add_testcase(case)
    if verdict.incomparable:
        case = TestCase("comparable", classname="hvdbench check", time=0)
        case.result = [Skipped(shown("; ".join(verdict.incomparable)), "incomparable")]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()
    return str(xml.tostring().decode()) + "\n"


def _cases(cell: CellVerdict) -> list[TestCase]:
    if cell.failure or cell.unjudged:
        case = TestCase("launches", classname=shown(cell.title), time=0)
        kind, words = (Failure, cell.words) if cell.failure else (Skipped, cell.unjudged or "")
        case.result = [kind(shown(words), shown(cell.failure or "inconclusive"))]
        return [case]
    cases = []
    for found in cell.comparisons:
        if found.outcome == Outcome.REPORTED:
            continue
        case = TestCase(shown(found.metric), classname=shown(cell.title), time=0)
        case.system_out = shown(found.words)
        if found.outcome.is_failure:
            case.result = [Failure(shown(found.words), str(found.outcome))]
        elif found.outcome == Outcome.INCONCLUSIVE:
            case.result = [Skipped(shown(found.words), "inconclusive")]
        cases.append(case)
    return cases
