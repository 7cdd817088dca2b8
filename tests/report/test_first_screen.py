"""What is seen of a report without scrolling, on a screen and on a phone: the answer, and nothing that hides it."""

from __future__ import annotations

import pytest

from harness.report import write_report
from tests.analysis.handmade import by_rmse, comparison, failed, folder_of
from tests.report import browser
from tests.report.test_recommendations import runs

QUESTION = "Which of these trains the CNN soonest?"
SIZES = pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
TIMES = {
    "serial": (6.0, 6.5, 7.0),
    "allreduce": (4.0, 4.2, 4.4),
    "delayed-averaging": (2.9, 3.0, 3.1),
    "hogwild": (2.0, 2.1, 2.05),
}

IN_VIEW = """
const inside = (part) => {
  const box = part.getBoundingClientRect();
  return box.height > 0 && box.top >= 0 && box.bottom <= window.innerHeight && box.right <= window.innerWidth;
};
const texts = (query) => [...document.querySelectorAll(query)].filter(inside).map(
  (part) => part.innerText.replaceAll("\\u00a0", " "));
return {
  question: texts("h1"), where: texts("h2.where"), recommendation: texts(".recommendation"), beside: texts(".beside"),
  conditions: texts(".conditions"), lines: texts(".board .headline"), strips: texts(".board .strip p"),
  cautions: texts(".claim .strip p"),
  legend: [...document.querySelectorAll(".legend span")].map((part) => part.innerText.replaceAll("\\u00a0", " ")),
  boards: [...document.querySelectorAll(".board .panel svg")].filter(inside).length,
  hints: [...document.querySelectorAll(".board title")].map((title) => title.textContent.replaceAll("\\u00a0", " ")),
};
"""


def asked(records):
    return [one.model_copy(update={"question": QUESTION}) for one in records]


def seen(tmp_path, records, width, height):
    report = write_report([folder_of(records, tmp_path / "quick")], tmp_path / "out")
    with browser.browsing(width=width, height=height) as page:
        page.open(report)
        return page.run(IN_VIEW)


@pytest.mark.needs_chromium
@SIZES
def test_first_screen_says_which_how_much_sooner_how_sure_and_under_which_conditions(tmp_path, width, height):
    found = seen(tmp_path, asked(comparison(TIMES)), width, height)
    assert found["question"] == [QUESTION]
    assert found["recommendation"] == [
        "Use hogwild with 2 workers for cnn on digits: about 1.5× sooner than the next best, delayed-averaging "
        "(95 % sure of the order; recipe, not tuned)."
    ]
    assert found["beside"] == []
    assert found["where"] == ["On Abacus 9, 4 cores"]
    assert found["conditions"] == [
        "Holds for 1 to 2 workers, 1 thread each, 1 host, torch, Horovod over gloo, 3 seeds each, recipe: rates as the "
        "suite sets them, not tuned for each strategy."
    ]
    assert found["lines"] == ["hogwild ×2: about 1.5× sooner than the next best, delayed-averaging ×2."]
    assert found["boards"] == 1
    assert [hint.split(":")[0] for hint in found["hints"]] == [
        "hogwild ×2",
        "delayed-averaging ×2",
        "allreduce ×2",
        "serial ×1",
    ]
    assert "not shown to be slower than the soonest" in found["hints"][0]
    assert not any("not shown" in hint for hint in found["hints"][1:])


@pytest.mark.needs_chromium
@SIZES
def test_first_screen_claims_nothing_where_nothing_is_shown_and_shows_what_weakens_it(tmp_path, width, height):
    alike = dict.fromkeys(("serial", "allreduce", "hogwild"), (2.0, 3.0, 4.0))
    found = seen(
        tmp_path, [*comparison(alike), failed({"strategy": "allreduce", "workers": 2, "seed": 3})], width, height
    )
    assert found["recommendation"] == ["No winner is shown for cnn on digits (recipe, not tuned)."]
    assert found["lines"] == [
        "No winner is shown: hogwild ×2 came first, but none of the other 2 is shown to be slower."
    ]
    assert found["strips"] == ["Crashed: allreduce ×2 in 1 of 4 launches (25 %)."]
    assert found["boards"] == 1


@pytest.mark.needs_chromium
def test_first_screen_of_two_problems_says_one_sentence_a_smaller_one_and_a_line_a_problem(tmp_path):
    found = seen(tmp_path, [*comparison(TIMES), *map(by_rmse, comparison(TIMES))], 1400, 900)
    assert found["recommendation"] == [
        "Use hogwild with 2 workers for cnn on digits and mf on movielens: about 1.5× sooner than the next best, "
        "delayed-averaging (95 % sure of the order; recipe, not tuned)."
    ]
    assert found["beside"] == ["As one for all problems, hogwild with 2 workers came first in each."]
    assert len(found["lines"]) == found["boards"] == 2


@pytest.mark.needs_chromium
def test_caution_of_all_boards_stands_beside_the_headline_once(tmp_path):
    """Beside it the pool's own: of three seeds, intervals are wide."""
    rates = {"serial": 0.1, "allreduce": 0.1, "hogwild": 0.2}
    one = [run for name, rate in rates.items() for run in runs(name, 8.0 - rate * 20, learning_rate=rate)]
    found = seen(tmp_path, [*one, *map(by_rmse, one)], 1400, 900)
    assert [said.split(",")[0] for said in found["cautions"]] == [
        "Not only the strategy differs: allreduce and serial have learning_rate=0.1; hogwild has learning_rate=0.2.",
        "With 3 seeds a cell",
    ]
    assert (found["strips"], found["boards"]) == ([], 2)


@pytest.mark.needs_chromium
def test_legend_tells_of_what_one_is_sure_a_factor_from_workers_and_why_bars_may_overlap(tmp_path):
    assert seen(tmp_path, comparison(TIMES), 1400, 900)["legend"][-4:] == [
        "95 % sure: of the order in all answers of the page at once",
        "×2: with 2 workers",
        "1.5×: 1.5 times as long as the soonest",
        "bar: 95 % interval of each alone; the order goes by ratios paired by seed, so bars may overlap",
    ]
