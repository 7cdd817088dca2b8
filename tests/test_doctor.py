"""What the doctor finds, on a machine that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import doctor
from harness.bootstrap import mending
from harness.run import mpi_support
from harness.worker.gpus import VISIBLE_VARIABLE, Gpu

H100 = Gpu(uuid="GPU-1", bus_id="0000:17:00.0", driver="580.1", name="NVIDIA H100")


@pytest.fixture(autouse=True)
def one_gpu_and_torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "present_gpus", lambda: (H100,))
    monkeypatch.setattr(doctor, "installed_versions", lambda: {"torch": "2.11.0"})
    monkeypatch.delenv(VISIBLE_VARIABLE, raising=False)


def found() -> dict[str, str]:
    return {diagnostic.what: diagnostic.found for diagnostic in doctor.examine()}


def test_framework_that_is_missing_is_not_asked_for_cuda() -> None:
    assert "torch on GPUs" in found()
    assert "tensorflow on GPUs" not in found()
    assert found()["tensorflow"] == "missing"


def test_hidden_gpu_is_said_to_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["GPUs"] == "NVIDIA H100, driver 580.1"
    monkeypatch.setenv(VISIBLE_VARIABLE, "")
    assert (
        found()["GPUs"] == "none; cells with device: gpu are refused, 1 hidden by CUDA_VISIBLE_DEVICES=, driver 580.1"
    )


def test_framework_that_is_too_old_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed_versions", lambda: {"torch": "2.1.2"})
    (torch,) = (diagnostic for diagnostic in doctor.examine() if diagnostic.what == "torch")
    assert (torch.present, torch.found) == (
        False,
        "torch 2.1.2 is older than 2.3, the oldest that will do: upgrade it",
    )


def test_gloo_is_not_ready_where_the_name_of_this_machine_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "nowhere.invalid")
    (gloo,) = (diagnostic for diagnostic in doctor.examine() if diagnostic.what == "controller gloo")
    assert (gloo.present, gloo.found) == (False, "this machine's name, nowhere.invalid, is not known")
    assert gloo.mend == "echo 127.0.0.1 nowhere.invalid >> /etc/hosts"


def mends() -> dict[str, str | None]:
    return {diagnostic.what: diagnostic.mend for diagnostic in doctor.examine()}


def test_horovod_is_built_beside_a_framework_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "horovod_supports", lambda framework: False)
    monkeypatch.setattr(doctor, "is_built_for_cuda", lambda framework: False)
    assert mends()["horovod for torch"] == mends()["controller mpi"] == "hvdbench setup --keep"
    assert (mends()["tensorflow"], mends()["horovod for tensorflow"]) == ("make setup", "make setup")


def test_horovod_beside_a_framework_for_cuda_is_built_with_nccl_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "horovod_supports", lambda framework: False)
    monkeypatch.setattr(doctor, "is_built_for_cuda", lambda framework: framework == "torch")
    assert mends()["horovod for torch"] == "HOROVOD_GPU_OPERATIONS=NCCL hvdbench setup --keep"
    monkeypatch.setattr(doctor, "present_gpus", tuple)
    assert mends()["horovod for torch"] == "hvdbench setup --keep"


def test_environment_into_which_pip_put_hvdbench_is_told_no_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "has_make", lambda: False)
    monkeypatch.setattr(doctor, "horovod_supports", lambda framework: False)
    monkeypatch.setattr(doctor, "is_built_for_cuda", lambda framework: False)
    assert mends()["tensorflow"] == "pip install tensorflow"
    assert mends()["horovod for tensorflow"] == "pip install tensorflow, then hvdbench setup --keep"
    keeping = "HOROVOD_GPU_OPERATIONS=NCCL hvdbench setup --keep"
    assert mends()["torch on GPUs"] == f"install the torch that is built for your CUDA, then {keeping}"
    monkeypatch.setattr(doctor, "is_built_for_cuda", lambda framework: True)
    assert mends()["torch on GPUs"] == keeping


@pytest.mark.parametrize("has_make", [True, False])
def test_checkout_has_make(tmp_path: Path, has_make: bool) -> None:
    if has_make:
        (tmp_path / "Makefile").touch()
    assert mending.has_make(tmp_path) is has_make


def test_mpi_that_horovod_was_not_built_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpirun = tmp_path / "bin" / "mpirun"
    for module in (doctor, mpi_support):
        monkeypatch.setattr(module, "mpirun", lambda: mpirun)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libmpi.so.12").touch()
    (mpi,) = (diagnostic for diagnostic in doctor.examine() if diagnostic.what == "controller mpi")
    assert mpi.found == f"horovod was built for libmpi.so.40, and {mpirun} comes with libmpi.so.12"
    assert mpi.mend == "load the MPI that it was built with, or take --controller gloo"
    (tmp_path / "lib" / "libmpi.so.40").touch()
    assert found()["controller mpi"] == f"ready, {mpirun}"


def test_hosts_of_the_batch_job_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["batch job"] == "none around this process, of Slurm, LSF or PBS"
    monkeypatch.setenv("LSB_JOBID", "12")
    monkeypatch.setenv("LSB_MCPU_HOSTS", "a 2 b 2")
    assert found()["batch job"] == "a:2, b:2 of LSF job 12 (LSB_MCPU_HOSTS)"
    monkeypatch.setenv("LSB_MCPU_HOSTS", "a 2 b")
    assert found()["batch job"].startswith("LSB_MCPU_HOSTS=a 2 b: 'b:' is no host")


@pytest.mark.parametrize(("held", "may"), [("000001ffffffffff", True), ("00000000a80425fb", False)])
def test_root_of_a_container_may_not_mount(tmp_path: Path, held: str, may: bool) -> None:
    """The second is what Docker leaves it by default."""
    (tmp_path / "status").write_text(f"Name:\tpython\nCapEff:\t{held}\nCapBnd:\t000001ffffffffff\n")
    assert doctor.may_mount(tmp_path / "status") is may
