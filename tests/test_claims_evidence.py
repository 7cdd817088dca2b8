"""How often a page of claims is wrong, on fewer pages than README's table has: enough to see a broken rule."""

from __future__ import annotations

import pytest

from tests.claims_evidence import KINDS, SUITES, page_of, shares_wrong, table

PAGES = 200


@pytest.fixture(scope="module")
def page():
    return page_of("claims")


def test_error_of_a_page_is_shared_out_over_claims_and_cases(page):
    """Twelve claims, one of them about crashes; the two trends have no cases."""
    assert page.seeds == 5
    assert sum(page.errors) == pytest.approx(0.05 * 11 / 12)
    assert min(page.errors) == pytest.approx(0.05 / 12 / 3)


# 5 % of 200 pages are 10; as many as 20 come by chance in less than one test of 500, and these are seeded.
@pytest.mark.parametrize("kind", ["normal", "heavy-tailed: Student's t of 3 degrees"])
def test_pages_are_seldom_wrong_where_noise_leans_to_neither_side(page, kind):
    assert max(shares_wrong(page, KINDS[kind], pages=PAGES)) <= 0.1


def test_pages_are_wrong_more_often_than_asked_where_noise_leans_to_one_side(page):
    """What README says of it: where this ends, the sentence there has to."""
    _, below = shares_wrong(page, KINDS["skewed: lognormal of 1 (skewness 6.2)"], pages=PAGES)
    assert below > 0.1


def test_table_has_a_row_for_each_kind_of_noise():
    assert len(table(pages=2).splitlines()) == 2 + len(KINDS)
    assert len(SUITES) == 2
