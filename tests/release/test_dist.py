"""The wheel holds all that runs and nothing of the tests, and works where there is no checkout."""

from __future__ import annotations

import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.bootstrap.pins import ROOT
from tests.release.dist import Distribution, build, tracked, unpack
from tests.release.installed import first_steps, install, make_environment

DOCUMENTS = {"harness/ARCHITECTURE.md", "harness/check/README.md"}  # for readers of the source


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_wheel_has_the_tracked_files_of_the_harness_and_the_suites_alone(distribution: Distribution) -> None:
    files = set(tracked(ROOT))
    suites = {f"harness/shipped_{name}" for name in files if name.startswith("suites/")}
    code = {name for name in files if name.startswith("harness/")} - DOCUMENTS - {"harness/shipped_suites"}
    packed = {name for name in zipfile.ZipFile(distribution.wheel).namelist() if ".dist-info/" not in name}
    assert packed == code | suites


def test_archive_has_what_sets_up_and_what_changed(distribution: Distribution) -> None:
    with tarfile.open(distribution.archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "Makefile", "suites/quick.yaml"} <= names
    assert not [name for name in names if name.startswith("tests")]


@pytest.mark.parametrize(("only", "found"), [("", ["a", "b"]), ("b/", ["b"])])
def test_archive_is_unpacked_where_python_has_no_filters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str, found: list[str]
) -> None:
    """As Debian 12's, which is 3.11.2."""
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        for name in ("a", "b"):
            (tmp_path / name).touch()
            archive.add(tmp_path / name, f"{name}/file")
    really = tarfile.TarFile.extractall

    def as_it_was(self: tarfile.TarFile, path: Path, members: list[tarfile.TarInfo] | None = None) -> None:
        really(self, path, members)

    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extraction_filter", staticmethod(lambda file, to: file), raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", as_it_was)
    unpack(tmp_path / "archive.tar", tmp_path / "to", only=only)
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == found


def test_wheel_works_in_an_environment_and_a_folder_of_its_own(distribution: Distribution, tmp_path: Path) -> None:
    python = make_environment(Path(sys.executable), tmp_path / "venv")
    install(python, "--no-deps", "--no-index", distribution.wheel)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")  # those of this environment
    (tmp_path / "work").mkdir()
    said = first_steps(python, tmp_path / "work")
    assert "suites/quick.yaml" in said["list suites"]
    assert (tmp_path / "work" / "report" / "index.html").stat().st_size > 10_000
    assert (tmp_path / "work" / "my_training.py").exists()
