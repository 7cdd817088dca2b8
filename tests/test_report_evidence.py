"""The report's error and power on fewer pages than `make report-evidence` has: enough to see a broken rule."""

from __future__ import annotations

import pytest

from tests.report_evidence import KINDS, share_found, share_told_apart, table

PAGES = 200


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_pages_of_equal_strategies_rarely_claim_a_difference(kind):
    # 5 % of 200 pages are 10; as many as 20 come by chance in less than one test of 500, and these are seeded.
    assert share_told_apart(kind, pages=PAGES) <= 0.08


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.seeds == 5], ids=str)
def test_pages_recommend_one_twice_as_fast_alone(kind):
    assert share_found(kind, pages=PAGES) >= 0.90


def test_table_has_a_row_for_each_kind_of_page():
    assert len(table(pages=2).splitlines()) == 3 + len(KINDS) + 2
