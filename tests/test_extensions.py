"""Code that is not ours: found by its name, and what is said where it cannot be used."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness import extensions
from harness.extensions import (
    WORKLOADS,
    ExtensionError,
    code_digest,
    in_their_words,
    is_code,
    is_of_loaded_code,
    load_extension,
    normalized,
    require_unchanged,
)


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder)


def refusal(name: str, folder: str | None) -> str:
    with pytest.raises(ExtensionError) as caught:
        load_extension(name, folder, group=WORKLOADS)
    return str(caught.value)


def test_is_code_tells_code_from_names_in_tables() -> None:
    assert [is_code(name) for name in ("mine.py:make", "package.module:make", "cnn")] == [True, True, False]


def test_file_is_loaded_once_and_from_the_folder_given(tmp_path: Path) -> None:
    folder = write(tmp_path, "import neighbour\nmake = [neighbour.VALUE]\n")
    write(tmp_path, "VALUE = 7\n", "neighbour.py")
    made = load_extension("mine.py:make", folder, group=WORKLOADS)
    assert made == [7]
    assert load_extension("mine.py:make", folder, group=WORKLOADS) is made


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    folders = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        folders.append(write(tmp_path / str(number), f"make = {number}\n"))
    assert [load_extension("mine.py:make", folder, group=WORKLOADS) for folder in folders] == [1, 2]


def test_module_is_loaded_by_its_dotted_name() -> None:
    assert load_extension("json.decoder:JSONDecoder", None, group=WORKLOADS).__name__ == "JSONDecoder"


def test_package_beside_the_suite_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "theirs_alone").mkdir()
    write(tmp_path / "theirs_alone", "make = 5\n", "training.py")
    assert load_extension("theirs_alone.training:make", str(tmp_path), group=WORKLOADS) == 5
    assert len(code_digest("theirs_alone.training:make", str(tmp_path), group=WORKLOADS)) == 16


def test_entry_point_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="theirs", value="json:loads", group=WORKLOADS)
    monkeypatch.setattr(extensions, "entry_points", lambda group, name: [point] if name == "theirs" else [])
    assert load_extension("theirs", None, group=WORKLOADS).__name__ == "loads"
    assert refusal("others", None).startswith(
        "others: no such entry point of hvdbench.workloads; allowed: file.py:name"
    )


USER_CODE = (
    "import beside_it\ndef make(fault):\n    return beside_it.fails() if fault else __import__('json').loads('{')\n"
)


@pytest.mark.parametrize("name", ["mine.py:make", "mine:make", "linked.mine:make"])
@pytest.mark.parametrize("is_installed", [False, True])
def test_code_that_was_loaded_is_told_by_its_line_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_installed: bool
) -> None:
    """With what it imports of the user's own, and be it reached by a link; a library that it calls is not its code."""
    folder = tmp_path / "code"
    (folder / "real").mkdir(parents=True)
    (folder / "linked").symlink_to("real")
    of_package = folder / "real" if name.startswith("linked") else folder
    write(of_package, USER_CODE.replace("import b", "from . import b") if of_package != folder else USER_CODE)
    write(of_package, "def fails():\n    return {}[0]\n", "beside_it.py")
    if is_installed:
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
    make = load_extension(name, str(folder), group=WORKLOADS)
    for fault, words in ((True, "beside_it.py, line 2: KeyError: 0"), (False, "mine.py, line 3: JSONDecodeError: ")):
        with pytest.raises((KeyError, ValueError)) as raised:
            make(fault)
        assert is_of_loaded_code(raised.value)
        assert in_their_words(raised.value).startswith(words)


def test_what_lies_beside_loaded_code_and_is_none_of_it_is_not_told_so(tmp_path: Path) -> None:
    """Such as a library of the same folder, through which each command may run."""
    write(tmp_path, "def make(): pass\n")
    write(tmp_path, "def fails():\n    return {}[0]\n", "library.py")
    load_extension("mine.py:make", str(tmp_path), group=WORKLOADS)
    with pytest.raises(KeyError) as raised:
        importlib.import_module("library").fails()
    assert not is_of_loaded_code(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine.py:make", "x = 1\n\nraise RuntimeError('no GPU')\n", "mine.py, line 3: RuntimeError: no GPU"),
        ("mine.py:make", "def make(:\n", "mine.py, line 1: SyntaxError"),
        ("mine.py:make", "import nothing_like_it\n", "mine.py, line 1: ModuleNotFoundError: No module named 'nothing"),
        ("mine.py:make", "import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
        ("mine.py:mak", "def make(): ...\n", "mine.py:mak: mine.py has no mak; it has make"),
        ("other.py:make", "", "other.py: no such file in "),
        ("mine.py:", "make = 1\n", "mine.py:: no name of code; allowed: file.py:name, package.module:name"),
        (
            "no.such.module:make",
            "",
            "no.such.module:make: cannot be imported: ModuleNotFoundError: No module named 'no'",
        ),
    ],
)
def test_code_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    assert message in refusal(name, write(tmp_path, text))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_file_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "mine.py").write_text("name = 'durée'\n", encoding=encoding)
    said = refusal("mine.py:make", str(tmp_path))
    assert said.startswith("mine.py:make: cannot be imported: ")
    assert said.endswith("; save it as UTF-8")


def test_null_bytes_are_known_as_another_encoding_whichever_error_python_makes_of_them() -> None:
    """It was a ValueError until 3.11.3."""
    for kind in (SyntaxError, ValueError):
        said = in_their_words(kind("source code string cannot contain null bytes"))
        assert said == f"{kind.__name__}: source code string cannot contain null bytes; save it as UTF-8"
    assert in_their_words(ValueError("no source")) == "ValueError: no source"


def test_file_that_failed_is_tried_again_once_it_is_mended(tmp_path: Path) -> None:
    folder = write(tmp_path, "1 / 0\n")
    assert "mine.py, line 1: ZeroDivisionError" in refusal("mine.py:make", folder)
    write(tmp_path, "make = 4\n")
    sys.path_importer_cache.clear()
    assert load_extension("mine.py:make", folder, group=WORKLOADS) == 4


def test_digest_is_of_the_file_and_not_of_the_name_in_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "make = 1\n")
    first = code_digest("mine.py:make", folder, group=WORKLOADS)
    assert len(first) == 16
    assert code_digest("mine.py:other", folder, group=WORKLOADS) == first
    assert len(code_digest("json.decoder:JSONDecoder", None, group=WORKLOADS)) == 16


def test_code_that_changed_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "make = 1\n")
    digest = code_digest("mine.py:make", folder, group=WORKLOADS)
    require_unchanged("mine.py:make", folder, digest, group=WORKLOADS)
    write(tmp_path, "make = 2\n")
    with pytest.raises(ExtensionError, match=r"mine.py:make: has changed since the cells were planned"):
        require_unchanged("mine.py:make", folder, digest, group=WORKLOADS)


def test_one_file_has_one_name() -> None:
    assert normalized("./a/../net.py:make") == "net.py:make"
    assert [normalized(name) for name in ("package.module:make", "theirs")] == ["package.module:make", "theirs"]


def test_file_that_hides_a_module_is_refused_before_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')")
    with pytest.raises(
        ExtensionError, match=r"torch\.py: hides the module torch from what imports it; wanted: another"
    ):
        load_extension("torch.py:make", str(tmp_path), group=WORKLOADS)
