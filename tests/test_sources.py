"""The files that a user's code consists of: what it imports counts, what is installed does not, nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.extensions import WORKLOADS, ExtensionError, code_digest

RUNS = "raise SystemExit('imported')\n"  # no file is run to be found


def digest(folder: Path, name: str) -> str:
    return code_digest(name, str(folder), group=WORKLOADS)


def write(folder: Path, **files: str) -> None:
    """`package__module` is package/module.py; `package____init__` its __init__.py."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/", 1) + ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def counts(folder: Path, name: str, **changed: str) -> bool:
    """Whether another content of that file is another digest."""
    before = digest(folder, name)
    write(folder, **changed)
    return digest(folder, name) != before


@pytest.mark.parametrize(
    "statement",
    [
        "import layers",
        "import layers as l",
        "from layers import Net",
        "def make():\n    import layers",
        "from . import layers",
    ],
)
def test_digest_of_a_file_counts_what_it_imports_from_beside_it(tmp_path: Path, statement: str) -> None:
    write(tmp_path, net=RUNS + statement, layers=RUNS, other="")
    assert counts(tmp_path, "net.py:make", layers="WIDTH = 2")
    assert not counts(tmp_path, "net.py:make", other="WIDTH = 2")


def test_digest_counts_what_imported_modules_import_and_ends_in_a_circle(tmp_path: Path) -> None:
    write(
        tmp_path,
        net="import parts.inner",
        parts____init__="",
        parts__inner="from . import deep",
        parts__deep="import net",
    )
    assert counts(tmp_path, "net.py:make", parts__deep="import net, json")
    assert counts(tmp_path, "net.py:make", parts____init__="WIDTH = 2")


def test_digest_counts_what_lies_in_the_folder_that_paths_are_taken_from(tmp_path: Path) -> None:
    write(tmp_path, mine__net="import layers", layers="")
    assert counts(tmp_path, "mine/net.py:make", layers="WIDTH = 2")


def test_digest_of_a_module_counts_its_package_and_runs_none_of_it(tmp_path: Path) -> None:
    write(tmp_path, untried____init__=RUNS, untried__net="from untried import layers", untried__layers=RUNS)
    assert counts(tmp_path, "untried.net:make", untried__layers="WIDTH = 2")
    assert counts(tmp_path, "untried.net:make", untried____init__=RUNS * 2)


def test_digest_of_a_package_counts_the_submodules_that_it_imports(tmp_path: Path) -> None:
    write(tmp_path, unopened____init__="from .net import make", unopened__net=RUNS, unopened__other="")
    assert counts(tmp_path, "unopened:make", unopened__net="WIDTH = 2")
    assert not counts(tmp_path, "unopened:make", unopened__other="WIDTH = 2")


def test_digest_is_the_same_in_another_folder(tmp_path: Path) -> None:
    for place in (tmp_path / "a", tmp_path / "b"):
        place.mkdir()
        write(place, net="import layers", layers="WIDTH = 2")
    assert digest(tmp_path / "a", "net.py:make") == digest(tmp_path / "b", "net.py:make")


def test_harness_does_not_count_where_the_folder_is_its_checkout(tmp_path: Path) -> None:
    write(tmp_path, net="from harness import workloads", harness__workloads="")
    assert not counts(tmp_path, "net.py:make", harness__workloads="WIDTH = 2")


@pytest.mark.parametrize(
    "name",
    ["sys:make", "no.such.module:make", "json.nothing:make", "json..decoder:make", ".json:make"],
)
def test_module_that_no_file_holds_is_refused(name: str) -> None:
    with pytest.raises(ExtensionError, match=r"no file holds a module .*; allowed: file"):
        code_digest(name, None, group=WORKLOADS)
