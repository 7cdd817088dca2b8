"""Whose plan lies in a folder, and that nothing of an earlier one is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare.comparison_folder import ComparisonFolder
from harness.compare.request import CompareError
from tests.compare.asked import asked


def folder_with_plan(path: Path) -> ComparisonFolder:
    folder = ComparisonFolder(path, "fnn")
    folder.keep(asked(), "question: q\n")
    return folder


def test_plan_of_the_same_command_is_gone_on_with(tmp_path: Path) -> None:
    assert not ComparisonFolder(tmp_path / "new", "fnn").holds_plan_of(asked())
    assert folder_with_plan(tmp_path).holds_plan_of(asked())


def test_plan_of_another_command_is_refused_by_what_differs(tmp_path: Path) -> None:
    folder = folder_with_plan(tmp_path)
    with pytest.raises(CompareError, match=r"holds another plan: minutes 20 \(now 30\)\. Allowed: .*--fresh.*, or -o"):
        folder.holds_plan_of(asked(minutes=30))


def test_suite_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "fnn.yaml").write_text("question: mine\n")
    with pytest.raises(CompareError, match=r"fnn\.yaml: no plan of hvdbench compare; allowed: -o another folder"):
        ComparisonFolder(tmp_path, "fnn").holds_plan_of(asked())


def test_request_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = folder_with_plan(tmp_path)
    (tmp_path / "request.json").write_text("{}")
    with pytest.raises(CompareError, match=r"request\.json: unreadable; allowed: --fresh"):
        folder.holds_plan_of(asked())


def test_planning_anew_keeps_what_was_there_and_touches_nothing_else(tmp_path: Path) -> None:
    folder = folder_with_plan(tmp_path)
    assert ComparisonFolder(tmp_path / "new", "fnn").set_aside() is None
    others = tmp_path / "results" / "quick"
    for path in (folder.results.path, folder.report, others):
        path.mkdir(parents=True)
        (path / "a").touch()
    assert folder.set_aside() == tmp_path / "earlier-1"
    assert not folder.holds_plan_of(asked())
    assert (others / "a").exists()
    kept = {str(path.relative_to(tmp_path / "earlier-1")) for path in (tmp_path / "earlier-1").rglob("*")}
    assert {"fnn.yaml", "request.json", "results/fnn/a", "report/a"} <= kept
    folder.keep(asked(), "question: q\n")
    assert folder.set_aside() == tmp_path / "earlier-2"
