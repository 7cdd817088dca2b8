"""The protocol's arithmetic on recordings made up with known effects; the real ones take hours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.check.decision import decide
from harness.check.observed import Observed, Pair, Run, Stage
from harness.suite.injection import Injection
from tests.evidence import rules, table
from tests.evidence.__main__ import END, START, between_markers, main
from tests.evidence.protocol import ALONE, CELLS, FAULTS, NUM_PAIRS, SETTINGS, TOGETHER, Recorded
from tests.evidence.rules import RULES


def recording(
    rng: np.random.Generator, *, cells: Any = CELLS, num_pairs: int = 8, slowdown: float = 0.0, crash: bool = False
) -> Observed:
    """Throughput with 1 % of noise, exact accuracy."""

    def run(factor: float, broken: bool = False) -> Run:
        if broken:
            return Run(values={}, trouble="failed: injected")
        values = {
            "throughput": 1000 / factor * np.exp(rng.normal(0, 0.01)),
            "final_score": 0.98,
            "target_reached": 1.0,
        }
        return Run(values=values)

    pairs = tuple(
        Pair(group=cell.group, seed=seed, stage=Stage.SCREEN, a=run(1.0), b=run(1 + slowdown, crash))
        for cell in cells
        for seed in range(num_pairs)
    )
    return Observed(titles={cell.group: cell.title for cell in cells}, pairs=pairs)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    monkeypatch.setattr(table, "NUM_DRAWN", 60)
    rng = np.random.default_rng(3)
    at_rest = []
    for _ in range(6):
        seen = recording(rng)
        at_rest.append((decide(seen, SETTINGS, suite="s", arm_a="a", arm_b="b"), seen))
    return Recorded(
        at_rest=tuple(at_rest),
        loaded=(),
        faults={
            "slower by 20%": recording(rng, cells=(ALONE,), num_pairs=NUM_PAIRS, slowdown=0.2),
            "crash half-way": recording(rng, cells=(ALONE,), num_pairs=1, crash=True),
            "faster by 10 %": recording(rng, cells=(ALONE,), num_pairs=NUM_PAIRS, slowdown=-0.1),
        },
    )


def test_evidence_table_states_what_was_recorded(recorded: Recorded) -> None:
    rows = {line.split(" | ")[0].strip("| "): line for line in table.evidence_table(recorded, "here").splitlines()}
    assert "0 failures, 0 inconclusive, 6 fine, of 6 suites" in rows["the same arm twice, live"]
    assert "0.0% false alarms, 100.0% fine" in rows["the same arm twice, resampled"]
    found = "exit 1 live (throughput); found in 100.0%, the right cell alone in 100.0% of them; a sample took "
    assert found in rows["slower by 20%"]
    assert float(rows["slower by 20%"].partition(found)[2].partition("%")[0]) == pytest.approx(20, abs=1)
    assert "exit 1 live (crashed)" in rows["crash half-way"]
    assert "exit 0 live (nothing)" in rows["faster by 10 %"]
    assert "exit 1 (missing)" in rows["a cell removed"]
    assert all(rule.name in rows for rule in RULES)


def test_every_rule_finds_a_fifth_and_names_its_cell(recorded: Recorded) -> None:
    draws = table.faulty(recorded.faults["slower by 20%"], table.pool([seen for _, seen in recorded.at_rest]))
    for rule in RULES:
        assert table.share_found(rule, draws, ALONE.group) == 1.0, rule.name
        assert table.share_found(rule, draws, TOGETHER.group) <= 0.15, rule.name


@pytest.mark.parametrize("num_recorded", [2, 8, 24, 40])
def test_drawn_pairs_never_both_screen_and_confirm(num_recorded: int) -> None:
    rng = np.random.default_rng(5)
    pools = table.pool([recording(rng, num_pairs=num_recorded)])
    for _ in range(50):
        for drawn in (rules.draw_unchanged(pools, rng), rules.draw_faulty(pools[ALONE.group], pools, rng)):
            for pairs in drawn.values():
                seeds = [pair.seed for pair in pairs]
                assert len(seeds) == NUM_PAIRS
                assert not set(seeds[: SETTINGS.screen_pairs]) & set(seeds[SETTINGS.screen_pairs :])


def test_evidence_table_draws_nothing_from_a_single_pair(recorded: Recorded) -> None:
    alone = recording(np.random.default_rng(0), cells=(ALONE,), num_pairs=1, slowdown=0.2)
    text = table.evidence_table(replace(recorded, faults={"slower by 20%": alone}), "here")
    assert "| slower by 20% | 100 % | exit 3 live (nothing) |" in text
    assert "from disjoint stretches" in text


def test_evidence_table_passes_over_broken_pairs_of_a_fault(recorded: Recorded) -> None:
    slowed = recorded.faults["slower by 20%"]
    broken = replace(slowed.pairs[3], b=Run(values={}, trouble="timeout: injected"))
    pairs = (*slowed.pairs[:3], broken, *slowed.pairs[4:])
    faults = {**recorded.faults, "slower by 20%": replace(slowed, pairs=pairs)}
    said = table.evidence_table(replace(recorded, faults=faults), "a machine")
    [row] = [line for line in said.splitlines() if line.startswith("| slower by 20% |")]
    assert "a sample took +" in row


def test_protocol_with_nothing_to_record_writes_an_empty_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = ("--at-rest", "0", "--loaded", "0", "--faults", "no such fault", "--results", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["tests.evidence", *nothing])
    main()
    assert "0 pairs of launches recorded at rest" in capsys.readouterr().out
    assert (tmp_path / "evidence.md").exists()


def test_faults_can_be_committed_by_their_cells() -> None:
    for fault in FAULTS:
        cell = fault.cell.model_copy(update={"inject": fault.injection})
        assert type(cell).model_validate_json(cell.model_dump_json()).inject == fault.injection
        assert fault.injection != Injection()


def test_between_markers_replaces_what_stood_there_and_nothing_else() -> None:
    page = f"before\n{START}\nold\n{END}\nafter\n"
    assert between_markers(page, "new\n", START, END) == f"before\n{START}\nnew\n{END}\nafter\n"
    with pytest.raises(SystemExit, match="has no"):
        between_markers("no markers", "new", START, END)
