"""The toolkit is found where its compiler says that it lies, whatever link or script stands on the PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootstrap import toolkit
from harness.bootstrap.toolkit import Toolkit, find_toolkit

NVCC = """#!/bin/sh
case "$1" in
  --version) echo "Cuda compilation tools, release {release}, V{release}.88" ;;
  --dryrun) echo "#$ _NVVM_BRANCH_=nvvm" >&2; echo "#$ _HERE_={home}/bin" >&2 ;;
esac
"""


@pytest.fixture(autouse=True)
def _nothing_at_the_usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit, "_USUAL", Path("/nowhere"))


def place_toolkit(home: Path, release: str = "13.0") -> Path:
    """One of names alone; what stands for its compiler."""
    (home / "bin").mkdir(parents=True)
    (home / "include").mkdir()
    (home / "include" / "cuda_runtime.h").touch()
    return script(home / "bin" / "nvcc", NVCC.format(release=release, home=home))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_toolkit_is_where_its_compiler_lies_not_where_it_is_called(tmp_path: Path) -> None:
    nvcc = place_toolkit(tmp_path / "cuda")
    script(tmp_path / "bin" / "nvcc", f'#!/bin/sh\nexec {nvcc} "$@"\n')
    found = find_toolkit({"PATH": f"{tmp_path / 'bin'}:/bin"})
    assert found == Toolkit(home=tmp_path / "cuda", release="13.0")


def test_compiler_with_its_headers_elsewhere_is_taken_with_them(tmp_path: Path) -> None:
    """Debian's lies in a folder of its own and is linked from /usr/bin; its headers are in /usr/include."""
    nvcc = place_toolkit(tmp_path / "lib")
    (tmp_path / "lib" / "include" / "cuda_runtime.h").rename(tmp_path / "cuda_runtime.h")
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "usr" / "bin" / "nvcc").symlink_to(nvcc)
    (tmp_path / "usr" / "include").mkdir()
    (tmp_path / "usr" / "include" / "cuda_runtime.h").touch()
    assert find_toolkit({"PATH": str(tmp_path / "usr" / "bin")}) == Toolkit(home=tmp_path / "usr", release="13.0")


@pytest.mark.parametrize("name", ["HOROVOD_CUDA_HOME", "CUDA_HOME"])
def test_toolkit_that_is_named_is_taken(tmp_path: Path, name: str) -> None:
    place_toolkit(tmp_path / "12", release="12.6")
    nvcc = place_toolkit(tmp_path / "13")
    found = find_toolkit({"PATH": str(nvcc.parent), name: str(tmp_path / "12")})
    assert found == Toolkit(home=tmp_path / "12", release="12.6")


def test_name_of_what_is_no_toolkit_hides_others(tmp_path: Path) -> None:
    """PyTorch and Horovod would look there alone, too; whether that matters is told with what they are built for."""
    nvcc = place_toolkit(tmp_path / "13")
    assert find_toolkit({"PATH": str(nvcc.parent), "CUDA_HOME": str(tmp_path)}) is None


def test_nothing_or_something_else_on_the_path_is_no_toolkit(tmp_path: Path) -> None:
    assert find_toolkit({"PATH": str(tmp_path)}) is None
    script(tmp_path / "nvcc", "#!/bin/sh\nexit 1\n")
    assert find_toolkit({"PATH": f"{tmp_path}:/bin"}) is None
