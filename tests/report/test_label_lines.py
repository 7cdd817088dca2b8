"""Where names and labels are broken."""

from __future__ import annotations

from harness.report.label_lines import axis_label, wrapped


def test_axis_label_leaves_no_word_alone_on_its_last_line():
    assert axis_label("start-up and training to the target (s)") == "start-up and training\nto the target (s)"
    assert axis_label("training time (s)") == "training time (s)"


def test_label_breaks_no_name_at_its_hyphen():
    assert wrapped("delayed-averaging torch ×2") == "delayed-averaging\ntorch ×2"
    assert wrapped("hogwild allreduce-flat ×2") == "hogwild\nallreduce-flat ×2"


def test_label_without_a_gap_is_broken_where_its_line_ends():
    assert wrapped("x" * 30) == f"{'x' * 24}\n{'x' * 6}"
    assert wrapped("") == ""
