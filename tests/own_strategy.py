"""A strategy as a user writes it, in a file of theirs."""

from __future__ import annotations

from pathlib import Path

OWN_STRATEGY = "mine.py:Mine"


def write_own_strategy(folder: Path, first_exchange: str, *, imports: str = "") -> None:
    """Local SGD whose options tell their first exchange by this expression, which has self and plan."""
    (folder / "mine.py").write_text(
        f"{imports}"
        "from harness.strategies.local_sgd import LocalSGD, LocalSGDOptions\n"
        "class Choices(LocalSGDOptions):\n"
        "    def first_exchange(self, plan):\n"
        f"        return {first_exchange}\n"
        "class Mine(LocalSGD):\n"
        "    Options = Choices\n"
    )
