"""A kit holds Horovod twice, what the machine lacks and hvdbench; what it cannot be made of is said first."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bootstrap.toolkit import Toolkit
from tests.gpu import kit
from tests.gpu.kit_wheels import WITH_NCCL, Machine, packages_of

MACHINE = Machine(
    python=Path("/usr/bin/python3"), torch="2.11.0", cuda=None, architectures=("9.0",), index=None, has={"torch": None}
)


class Workshop:
    """Stands where pip and compilers stand."""

    machine = MACHINE
    site = Path("/nowhere")

    def refuse_another_cuda(self) -> None: ...

    def version(self) -> str:
        return "3.12.3"

    def horovod(self, toolkit: Toolkit, options: dict[str, str]) -> Path:
        name = f"horovod-{'nccl' if options == WITH_NCCL else 'host'}.whl"
        return self.place(Path(tempfile.gettempdir(), name))

    def lacking(self) -> list[str]:
        return ["junitparser==5.0.3"]

    def pip(self, command: str, *arguments: Any) -> None:
        self.place(Path(arguments[2]) / arguments[3])

    def place(self, path: Path) -> Path:
        path.write_text("wheel")
        return path


@pytest.fixture(autouse=True)
def _workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr(kit, "find_toolkit", lambda environ: Toolkit(home=tmp_path, release="13.0"))
    monkeypatch.setattr(kit, "too_little_disk", lambda *args: None)
    monkeypatch.setattr(kit, "Workshop", SimpleNamespace(make=lambda *args: Workshop()))


@pytest.mark.needs_checkout
def test_kit_has_horovod_twice_what_is_lacking_and_hvdbench(tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    kit.make_kit(MACHINE, folder)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "hvdbench.tar.gz", "nccl_check.py", "wheels", "wheels-staged"),
    }
    assert {path.name for path in (folder / "wheels").iterdir()} == {"horovod-nccl.whl", "junitparser==5.0.3"}
    assert {path.name for path in (folder / "wheels-staged").iterdir()} == {"horovod-host.whl"}
    with tarfile.open(folder / "hvdbench.tar.gz") as tar:
        names = tar.getnames()
    assert {"hvdbench/tests/gpu/on_machine.sh", "hvdbench/suites/gpu.yaml", "hvdbench/pyproject.toml"} <= set(names)
    assert not any(name.startswith("hvdbench/reports") for name in names)
    read_me = (folder / "README.md").read_text()
    assert "For Python 3.12.3, PyTorch 2.11.0" in read_me
    assert "make gpu-kit KIT_PYTHON=/usr/bin/python3 KIT_TORCH=2.11.0 KIT_ARCH=9.0\n" in read_me


@pytest.mark.needs_checkout
def test_kit_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "LIMIT_BYTES", 1000)
    with pytest.raises(kit.SetupError, match="KIT_HAS=<a file"):
        kit.make_kit(MACHINE, tmp_path / "kit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--torch": ""}, "KIT_TORCH=: wanted is a version as 2.11.0"),
        ({"--torch": "cu130"}, "KIT_TORCH=cu130: wanted is a version as 2.11.0"),
        ({"--arch": "9.0,90"}, "KIT_ARCH=90: wanted is a version as 9.0, or 8.0,9.0"),
        ({"--cuda": "13"}, "KIT_CUDA=13: wanted is a version as 13.0"),
        ({"--python": "2.99"}, "KIT_PYTHON=2.99: no such Python runs here; wanted is a version, as 3.12, or a path"),
    ],
)
def test_kit_for_what_is_no_machine_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, change: dict[str, str], said: str
) -> None:
    given = {"--python": "/usr/bin/python3", "--torch": "2.11.0", "--arch": "9.0"} | change
    monkeypatch.setattr(sys, "argv", ["kit", *(part for pair in given.items() for part in pair)])
    assert kit.main() == 2
    assert capsys.readouterr().err == f"gpu-kit: {said}\n"


def test_packages_of_a_machine_are_read_with_their_versions_or_without() -> None:
    listed = "torch==2.11.0+cu130\nPyYAML\n# comment\nscikit_learn==1.9.1  # why\n\n"
    assert packages_of(listed) == {"torch": "2.11.0", "pyyaml": None, "scikit-learn": "1.9.1"}
