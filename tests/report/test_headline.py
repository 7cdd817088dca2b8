from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.report.headline import broken


def test_all_launches_crashed_only_where_all_did() -> None:
    rows: Any = [
        SimpleNamespace(series=name, num_launches=300, num_crashed=num, num_unfinished=num)
        for name, num in (("one", 1), ("most", 299), ("all", 300))
    ]
    assert broken(rows).replace("\u00a0", " ") == (
        "Crashed: all in 300 of 300 launches (100 %), most in 299 of 300 launches (99 %) and one in 1 of 300 launches "
        "(1 %)."
    )
