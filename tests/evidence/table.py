"""The evidence as Markdown: what was asked for, what was measured, on how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.check.decision import decide
from harness.check.exact import shift
from harness.check.observed import Observed, Pair, difference
from harness.check.verdict import Verdict
from tests.evidence.protocol import CELLS, FAULTS, NUM_PAIRS, SETTINGS, Recorded
from tests.evidence.rules import RULES, Drawn, Rule, draw_faulty, draw_unchanged, is_fine

NUM_DRAWN = 1000
LEAST_DRAWN = 2  # pairs: one to screen, one to confirm
_SEED = 7
Pools = Mapping[str, Sequence[Pair]]


def evidence_table(recorded: Recorded, machine: str) -> str:
    """The Markdown that the README shows."""
    rest, loaded = pool([seen for _, seen in recorded.at_rest]), pool([seen for _, seen in recorded.loaded])
    lines = [
        f"Measured on {machine}. Suites of {len(CELLS)} cells ({'; '.join(cell.title for cell in CELLS)}); "
        f"{num_pairs(rest)} pairs of launches recorded at rest, {num_pairs(loaded)} with one core loaded; "
        f"resampled figures are over {NUM_DRAWN} suites drawn from them, so that no pair both screens and confirms: "
        f"unchanged cells as two stretches of {NUM_PAIRS // 2} successive pairs, their sides swapped at random; a "
        f"faulty cell, and one of fewer than {NUM_PAIRS} pairs, with replacement from disjoint stretches.",
        "",
        "| what | asked for | measured |",
        "|---|---|---|",
        *_live_row("the same arm twice, live", "0 failures", recorded.at_rest),
        *_resampled_row("the same arm twice, resampled", "≤ 2 %", rest),
        *_live_row("the same, one core loaded, live", "≤ 5 %", recorded.loaded),
        *_resampled_row("the same, one core loaded, resampled", "≤ 5 %", loaded),
        *(row for fault in FAULTS for row in _fault_rows(fault.name, recorded.faults.get(fault.name), rest)),
        *_removed_cell_row(rest),
        "",
        *_side_by_side(recorded, rest, loaded),
    ]
    return "\n".join(lines) + "\n"


def pool(recordings: Sequence[Observed]) -> Pools:
    """All sound pairs by group, in the order in which they ran."""
    pools: dict[str, list[Pair]] = {}
    for observed in recordings:
        for pair in sorted(observed.pairs, key=lambda pair: pair.seed):
            if pair.a is not None and pair.b is not None and not pair.a.trouble and not pair.b.trouble:
                pools.setdefault(pair.group, []).append(pair)
    return pools


def num_pairs(pools: Pools) -> int:
    return sum(len(pairs) for pairs in pools.values())


def _can_be_drawn_from(observed: Observed) -> bool:
    return num_pairs(pool([observed])) >= LEAST_DRAWN


def share_found(rule: Rule, draws: Sequence[Drawn], group: str | None = None) -> float:
    """The share of suites in which the rule found this cell, or any at all."""
    found = [rule.finds(drawn) for drawn in draws]
    return float(np.mean([group in groups if group else bool(groups) for groups in found]))


def _live_row(what: str, asked: str, checks: Sequence[tuple[Verdict, Observed]]) -> list[str]:
    if not checks:
        return []
    codes = [verdict.exit_code for verdict, _ in checks]
    measured = (
        f"{codes.count(1)} failures, {codes.count(3)} inconclusive, {codes.count(0)} fine, of {len(codes)} suites"
    )
    return [f"| {what} | {asked} | {measured} |"]


def _resampled_row(what: str, asked: str, pools: Pools) -> list[str]:
    if not pools:
        return []
    draws = unchanged(pools)
    fine = np.mean([is_fine(drawn) for drawn in draws])
    return [f"| {what} | {asked} | {share_found(RULES[-1], draws):.1%} false alarms, {fine:.1%} fine |"]


def unchanged(pools: Pools) -> list[Drawn]:
    rng = np.random.default_rng(_SEED)
    return [draw_unchanged(pools, rng) for _ in range(NUM_DRAWN)]


def faulty(observed: Observed, pools: Pools) -> list[Drawn]:
    rng = np.random.default_rng(_SEED)
    [pairs] = pool([observed]).values()
    return [draw_faulty(pairs, pools, rng) for _ in range(NUM_DRAWN)]


_ASKED = {
    "slower by 3%": "–",
    "slower by 5%": "≥ 70 %",
    "slower by 10%": "≥ 95 %",
    "slower by 20%": "100 %",
    "faster by 10 %": "exit 0",
}


def _fault_rows(name: str, observed: Observed | None, rest: Pools) -> list[str]:
    if observed is None or not observed.pairs:
        return []
    verdict = judged(observed)
    asked, live = _ASKED.get(name, "found"), f"exit {verdict.exit_code} live ({_named(verdict)})"
    if not _can_be_drawn_from(observed):
        return [f"| {name} | {asked} | {live} |"]
    draws = faulty(observed, rest)
    group = observed.pairs[0].group
    found = [RULES[-1].finds(drawn) for drawn in draws]
    alarms = [groups for groups in found if groups]
    named = (
        f", the right cell alone in {np.mean([groups == {group} for groups in alarms]):.1%} of them" if alarms else ""
    )
    share = np.mean([group in groups for groups in found])
    return [f"| {name} | {asked} | {live}; found in {share:.1%}{named}; a sample took {_longer(observed):+.1%} |"]


def _longer(observed: Observed) -> float:
    """By what share B's samples took longer than A's: a fault costs a little beyond what it was told to."""
    [pairs] = pool([observed]).values()
    rates = [(pair.a.values["throughput"], pair.b.values["throughput"]) for pair in pairs if pair.a and pair.b]
    return float(np.expm1(shift(np.array([difference(a, b, better="higher", scale="ratio") for a, b in rates]))))


def _named(verdict: Verdict) -> str:
    words = [f"{cell.failure}" for cell in verdict.cells if cell.failure]
    words += [f"{found.metric}" for _, found in verdict.comparisons if found.outcome == "regression"]
    return ", ".join(words) or "nothing"


def judged(observed: Observed) -> Verdict:
    """The check's own verdict on a recording."""
    pairs = tuple(
        Pair(
            group=pair.group,
            seed=pair.seed,
            stage="screen" if pair.seed < SETTINGS.screen_pairs else "confirm",  # type: ignore[arg-type]
            a=pair.a,
            b=pair.b,
        )
        for pair in observed.pairs
    )
    return decide(Observed(titles=observed.titles, pairs=pairs), SETTINGS, suite="evidence", arm_a="A", arm_b="B")


def _removed_cell_row(rest: Pools) -> list[str]:
    """The second cell's runs of B taken away."""
    if len(rest) < len(CELLS):
        return []
    removed = CELLS[1].group
    pairs = [pair for pairs in rest.values() for pair in pairs[: SETTINGS.screen_pairs]]
    kept = tuple(
        Pair(group=p.group, seed=p.seed, stage=p.stage, a=p.a, b=None if p.group == removed else p.b) for p in pairs
    )
    titles = {cell.group: cell.title for cell in CELLS}
    verdict = decide(Observed(titles=titles, pairs=kept), SETTINGS, suite="evidence", arm_a="A", arm_b="B")
    return [f"| a cell removed | found | exit {verdict.exit_code} ({_named(verdict)}) |"]


def _side_by_side(recorded: Recorded, rest: Pools, loaded: Pools) -> list[str]:
    """False alarms and finds of all four rules, on the same recordings."""
    columns: dict[str, tuple[list[Drawn], str | None]] = {}
    if rest:
        columns["false alarms"] = (unchanged(rest), None)
    if loaded:
        columns["under load"] = (unchanged(loaded), None)
    for fault in FAULTS:
        observed = recorded.faults.get(fault.name)
        if fault.name.startswith("slower") and observed is not None and _can_be_drawn_from(observed) and rest:
            columns[fault.name] = (faulty(observed, rest), fault.cell.group)
    if not columns:
        return []
    heading = " | ".join(columns)
    lines = [f"| rule | {heading} |", "|---|" + "---|" * len(columns)]
    for rule in RULES:
        shares = [f"{share_found(rule, draws, group):.1%}" for draws, group in columns.values()]
        lines.append(f"| {rule.name} | {' | '.join(shares)} |")
    return lines
