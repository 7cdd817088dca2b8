"""Suites: how a matrix is spanned, and that each fault is told by file, key, value and what is allowed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.suite.suite import Suite, SuiteError

MINIMAL = "question: q\nmatrix: [{workload: fnn, strategy: serial}]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def block(fields: str) -> str:
    return f"question: q\nmatrix:\n  - {{{fields}}}\n"


def test_block_is_the_product_of_its_axes(tmp_path: Path) -> None:
    text = block("workload: [fnn, cnn], strategy: [allreduce, {name: local-sgd, period: 8}], workers: [1, 2]")
    suite = Suite.load(written(tmp_path, text))
    assert {(cell.workload, cell.strategy_label, cell.workers) for cell in suite.cells} == set(
        itertools.product(["fnn", "cnn"], ["allreduce", "local-sgd"], [1, 2])
    )
    assert len(suite.cells) == 8
    assert (suite.name, suite.question, suite.repeats, suite.time_budget_s) == ("a", "q", 1, None)


def test_a_cell_that_two_blocks_span_stands_once(tmp_path: Path) -> None:
    text = "question: q\nmatrix:\n  - {workload: fnn, strategy: serial}\n  - {workload: [fnn, rnn], strategy: serial}\n"
    assert sorted(cell.workload for cell in Suite.load(written(tmp_path, text)).cells) == ["fnn", "rnn"]


def test_block_overrides_defaults(tmp_path: Path) -> None:
    text = "question: q\ndefaults: {threads: 2, epochs: 3}\nmatrix: [{workload: fnn, strategy: serial, epochs: 4}]\n"
    (cell,) = Suite.load(written(tmp_path, text)).cells
    assert (cell.threads, cell.epochs) == (2, 4.0)


def test_repeats_are_launches_of_their_own(tmp_path: Path) -> None:
    suite = Suite.load(written(tmp_path, f"repeats: 3\n{MINIMAL}"))
    assert [cell.seed for cell in suite.cells] == [0, 1, 2]
    assert len({cell.key for cell in suite.cells}) == 3
    assert len({cell.group for cell in suite.cells}) == 1


def test_repeats_of_the_caller_win(tmp_path: Path) -> None:
    path = written(tmp_path, f"repeats: 3\n{MINIMAL}")
    assert len(Suite.load(path, repeats=5).cells) == 5
    with pytest.raises(SuiteError, match="repeats: 1000000000: Input should be less than or equal to 10000"):
        Suite.load(path, repeats=10**9)  # whose cells no memory holds


def test_running_order_is_repeat_by_repeat_shuffled_and_stable(tmp_path: Path) -> None:
    text = "repeats: 3\n" + block("workload: [fnn, cnn, rnn], strategy: serial, threads: [1, 2, 3, 4]")
    path = written(tmp_path, text)
    cells = Suite.load(path).cells
    assert [cell.seed for cell in cells] == [0] * 12 + [1] * 12 + [2] * 12
    orders = [[cell.group for cell in cells[start : start + 12]] for start in (0, 12, 24)]
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(orders[0]))}
    assert orders[0] != orders[1] != orders[2]
    assert Suite.load(path).cells == cells


def test_yaml_merge_keys_are_followed(tmp_path: Path) -> None:
    text = (
        "question: q\ndefaults: &all {threads: 2}\n"
        "matrix:\n  - {<<: *all, workload: fnn, strategy: serial}\n"
        "  - {<<: *all, threads: 3, workload: fnn, strategy: serial}\n"
    )
    assert sorted(cell.threads for cell in Suite.load(written(tmp_path, text)).cells) == [2, 3]


def test_only_keeps_the_cells_with_these_values(tmp_path: Path) -> None:
    suite = Suite.load(written(tmp_path, block("workload: [fnn, cnn], strategy: local-sgd, workers: [1, 2, 4]")))
    assert {(cell.workload, cell.workers) for cell in suite.only({"workload": "cnn"}).cells} == {
        ("cnn", 1),
        ("cnn", 2),
        ("cnn", 4),
    }
    (cell,) = suite.only({"workload": "cnn", "workers": "2"}).cells
    assert suite.only({"warmup_epochs": "0"}).cells == suite.only({"warmup_epochs": "0.0"}).cells == suite.cells
    assert (cell.workload, cell.workers) == ("cnn", 2)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"wokers": "2"}, "--only wokers=2: no such field; allowed: workload, dataset"),
        ({"workers": "3"}, "--only workers=3: no cell of a is like that"),
    ],
)
def test_only_refuses(tmp_path: Path, conditions: dict[str, str], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        Suite.load(written(tmp_path, MINIMAL)).only(conditions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"repeat: 3\n{MINIMAL}",
            "repeat: no such key; allowed: question, repeats, time_budget_s, folder, results, defaults, check, "
            "claims, tune, tuned, matrix",
        ),
        (f"repeats: 0\n{MINIMAL}", "repeats: 0: Input should be greater than or equal to 1"),
        (f"repeats: 10001\n{MINIMAL}", "repeats: 10001: Input should be less than or equal to 10000"),
        (f"repeats: many\n{MINIMAL}", "repeats: 'many': Input should be a valid integer"),
        ("question: q\n", "matrix: Field required"),
        ("question: q\nmatrix: []\n", "matrix: []: List should have at least 1 item"),
        ("question: q\nmatrix: {workload: fnn}\n", "matrix: {'workload': 'fnn'}: Input should be a valid list"),
        ("question: q\nquestion: r\n", "key 'question' stands twice"),
        ("", "a suite is a mapping with the keys question, repeats"),
        ("- fnn\n", "a suite is a mapping with the keys question, repeats"),
        ("question: [\n", "not YAML: "),
        ("question: 2026-02-30\n", "not YAML: day is out of range for month"),
        (f"question: {'[' * 3000}\n", "not YAML: "),
        (
            f"tuned: {{budget: {10**20}, sampler: s, seed: 0}}\n{MINIMAL}",
            "tuned.budget: 100000000000000000000: Input should be less than 9223372036854775808",
        ),
        ("question: !!python/object/apply:os.getcwd []\n", "not YAML: "),
        (block("workload: fnn"), "matrix[0]: strategy: None; allowed: serial, allreduce"),
        (block("workload: gnn, strategy: serial"), "matrix[0]: workload: 'gnn'; allowed: fnn, cnn, rnn"),
        (block("workload: fnn, strategy: [serial, hogwyld]"), "matrix[0]: strategy: 'hogwyld'; allowed: serial"),
        (
            block("workload: fnn, strategy: serial, wokers: 2"),
            "matrix[0].wokers: no such key; allowed: workload, dataset",
        ),
        (block("workload: fnn, strategy: serial, seed: 2"), "matrix[0].seed: seeds come from repeats; leave it out"),
        (block("workload: [], strategy: serial"), "matrix[0].workload: []; an axis needs at least one value"),
        (
            block("workload: fnn, strategy: serial, workers: two"),
            "matrix[0]: workers: 'two': Input should be a valid int",
        ),
        (
            block("workload: fnn, strategy: {name: local-sgd, perod: 8}"),
            "matrix[0]: options: perod: no such key; allowed: cycle_time_ms, fusion_threshold_bytes, "
            "mpi_yield_when_idle, staging, period",
        ),
        (
            block("workload: fnn, strategy: {name: local-sgd, period: x}"),
            "matrix[0]: options.period: 'x': Input should be a valid integer",
        ),
        (
            block("workload: fnn, strategy: hogwild, workers: 2, hosts: 2"),
            "matrix[0]: hosts: 2 with strategy hogwild, whose workers share one machine's memory or loopback; "
            "allowed: 1",
        ),
        (
            block("workload: fnn, strategy: {name: hogwild, shared_statistics: true}, workers: 2, momentum: 0"),
            "matrix[0]: momentum: 0 with optimizer sgd and hogwild shared_statistics=True, so that there is nothing to "
            "share; allowed: above 0, or an optimizer with statistics",
        ),
        (
            block("workload: fnn, strategy: hogwild, workers: 2, slowed: 3"),
            "matrix[0]: slowed: 3; allowed: a mapping of keys to values",
        ),
        (
            block("workload: fnn, strategy: serial, device: tpu"),
            "matrix[0]: device: 'tpu': Input should be 'cpu' or 'gpu'",
        ),
        (
            block("workload: fnn, strategy: serial, framework: mxnet"),
            "matrix[0]: framework: 'mxnet': Input should be 'torch' or 'tensorflow'",
        ),
    ],
)
def test_suite_refuses(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SuiteError) as caught:
        Suite.load(path)
    assert str(caught.value).startswith(f"{path}: {message}") or str(caught.value).startswith(f"{path}: not YAML: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_suite_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"b\.yaml: no such suite; `hvdbench list suites` lists"):
        Suite.load(tmp_path / "b.yaml")


@pytest.mark.parametrize(("encoding", "byte"), [("latin-1", "0xe9"), ("utf-16", "0xff")])
def test_suite_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path: Path, encoding: str, byte: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("question: quelle durée?\n", encoding=encoding)
    with pytest.raises(SuiteError, match=rf"a\.yaml: not in UTF-8 \(byte {byte}\); save it as UTF-8$"):
        Suite.load(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_suite_without_a_byte_order_mark_is_to_be_saved_as_utf_8(tmp_path: Path, encoding: str) -> None:
    """Of ASCII characters alone, whose bytes are such of UTF-8, too."""
    path = tmp_path / "a.yaml"
    path.write_text("question: how long?\n", encoding=encoding)
    said = r"a\.yaml: not YAML: unacceptable character #x0000: .*; save it as UTF-8$"
    with pytest.raises(SuiteError, match=said):
        Suite.load(path)


def test_suite_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"question: \x00")
    with pytest.raises(SuiteError, match=r"a\.yaml: not YAML"):
        Suite.load(path)


def test_suite_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="unreadable"):
        Suite.load(tmp_path)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["workload", "dataset", "synthetic", "strategy", "options", "workers", "controller", "target"]),
        _values,
    )
)
def test_no_value_gets_through_unchecked(tmp_path: Path, fields: dict[str, object]) -> None:
    """Whatever stands in a suite is either a cell or a SuiteError that names the file: nothing else is raised."""
    content = {"question": "q", "matrix": [{"workload": "fnn", "strategy": "serial", **fields}]}
    path = written(tmp_path, yaml.safe_dump(content, allow_unicode=True))
    try:
        assert Suite.load(path).cells
    except SuiteError as error:
        assert str(path) in str(error)  # noqa: PT017  (either is right)


def test_folder_of_code_is_seen_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from harness.strategies.serial import Serial\n\nclass Mine(Serial):\n    pass\n", encoding="utf-8"
    )
    (tmp_path / "plans").mkdir()
    text = "folder: ..\n" + block("workload: fnn, strategy: 'mine.py:Mine'")
    (cell,) = Suite.load(written(tmp_path / "plans", text)).cells
    assert (cell.strategy, cell.folder) == ("mine.py:Mine", str(tmp_path.resolve()))


def test_results_are_seen_from_the_file(tmp_path: Path) -> None:
    text = "results: kept/here\n" + block("workload: fnn, strategy: serial")
    assert Suite.load(written(tmp_path, text)).results == tmp_path / "kept" / "here"
    assert Suite.load(written(tmp_path, block("workload: fnn, strategy: serial"))).results is None
