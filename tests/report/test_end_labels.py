"""Names at the ends of lines: where they stand, and that a panel grows for them."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from harness.report.end_labels import label_ends, spread_apart
from harness.report.style import HEIGHT_IN, Look, canvas, themed

LOOK = Look(colour="#0173b2", marker="s")


def test_names_that_are_far_apart_stay() -> None:
    assert spread_apart([10, 50, 90], [8, 8, 8], 100) == [10, 50, 90]


def test_names_are_pushed_apart_by_their_sizes_and_stay_within_the_height() -> None:
    # The last one down to 100 − 20/2, the second to 80 − 10/2, the first to 70 − 10/2.
    assert spread_apart([98, 99, 100], [10, 10, 20], 100) == [65, 75, 90]
    assert spread_apart([0, 1], [10, 10], 100) == [5, 15]


def test_names_that_do_not_fit_still_do_not_touch() -> None:
    moved = spread_apart([50.0] * 30, [10] * 30, 100)
    assert [b - a for a, b in itertools.pairwise(moved)] == [10] * 29


@pytest.mark.parametrize("num_names", [2, 16])
def test_names_in_several_lines_do_not_touch_however_many_there_are(num_names: int) -> None:
    long = "delayed-averaging tensorflow processes period=4"  # two lines
    with themed(), canvas() as (figure, axes):
        label_ends(axes, [(long, LOOK, 1.0, 0.5)] * num_names)
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        boxes = sorted((text.get_window_extent(renderer) for text in axes.texts), key=lambda box: box.y0)
        apart = [upper.y0 - lower.y1 for lower, upper in itertools.pairwise(boxes)]
        assert min(apart) * 72 / figure.dpi == pytest.approx(5, abs=0.01)  # points
        assert boxes[0].y0 >= axes.bbox.y0 - 1
        assert boxes[-1].y1 <= axes.bbox.y1 + 1
        assert bool(figure.get_figheight() > HEIGHT_IN) is (num_names == 16)
