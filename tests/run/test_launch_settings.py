"""Settings that change speed, as they take effect: of the environment and of a launch, by an allow-list."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.launchers.hosts import Host, this_machine
from harness.records.setting_names import differing, of_all, of_horovod, of_mpi
from harness.run.launch_settings import launch_settings
from harness.suite.cell import Cell
from harness.worker.process import PINNING_OFF, PINNING_VARIABLE

HERE = this_machine()


@pytest.fixture(autouse=True)
def no_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever this machine has, runs in this process or lies elsewhere: a module's would be recorded."""
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: None)
    monkeypatch.setattr("harness.run.launch_settings.yields_when_idle", lambda: None)
    monkeypatch.delenv("OPAL_PREFIX", raising=False)


def cell(strategy: str = "allreduce", controller: str = "gloo", **options: Any) -> Cell:
    workers = 1 if strategy == "serial" else 2
    return Cell.model_validate(
        {"workload": "fnn", "strategy": {"name": strategy, **options}, "workers": workers, "controller": controller}
        if strategy != "serial"
        else {"workload": "fnn", "strategy": strategy}
    )


@pytest.mark.parametrize(
    "setting",
    [
        *("HOROVOD_CYCLE_TIME=50", "HOROVOD_HIERARCHICAL_ALLREDUCE=1", "OMPI_MCA_coll=^tuned"),
        *("OMP_PROC_BIND=true", "GOMP_SPINCOUNT=0", "KMP_BLOCKTIME=0", "MALLOC_ARENA_MAX=1", "TF_ENABLE_ONEDNN_OPTS=0"),
        *(
            "NVIDIA_TF32_OVERRIDE=0",
            "HOROVOD_CPU_OPERATIONS=ccl",
            "HOROVOD_DYNAMIC_PROCESS_SETS=1",
            "HOROVOD_ELASTIC=1",
        ),
        *("MPIR_CVAR_ALLREDUCE_INTRA_ALGORITHM=ring", "MPICH_ASYNC_PROGRESS=1", "MV2_ENABLE_AFFINITY=0"),
        *("MIMALLOC_PURGE_DELAY=0", "PYTHONTRACEMALLOC=1", "PYTHON_GIL=0", "PYTHON_JIT=1"),
        *("TF_CPU_ALLOCATOR_USE_BFC=1", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE=0", "TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1"),
        *("TORCHDYNAMO_DISABLE=1", "TORCHINDUCTOR_MAX_AUTOTUNE=1", "TORCH_COMPILE_DEBUG=1"),
        *("NPY_DISABLE_CPU_FEATURES=AVX2", "HOROVOD_LOG_LEVEL=trace", "TORCH_DISTRIBUTED_DEBUG=DETAIL"),
        *("TF_CPP_MAX_VLOG_LEVEL=2", "TF_CPP_VMODULE=executor=2", "TORCH_LOGS=+autograd"),
        *("ONEDNN_VERBOSE=1", "DNNL_VERBOSE=1", "MKL_VERBOSE=1", "UCX_LOG_LEVEL=data", "FI_LOG_LEVEL=debug"),
        *("I_MPI_WAIT_MODE=1", "PRTE_MCA_rmaps_default_mapping_policy=node"),
    ],
)
def test_setting_that_changes_speed_is_recorded(setting: str) -> None:
    name, _, value = setting.partition("=")
    framework = "tensorflow" if name.startswith("TF_") else "torch"
    device = "gpu" if name.startswith("NVIDIA_") else "cpu"
    reader = cell(controller="mpi").model_copy(update={"framework": framework, "device": device})
    assert launch_settings(reader, {name: value, "HOME": "/root"}, hosts=HERE) == {name: value}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "HOROVOD_RANK",
            "HOROVOD_GLOO_RENDEZVOUS_ADDR",
            "HOROVOD_SECRET_KEY",
            "HOROVOD_WITH_TORCH",
            "HOROVOD_HOSTNAME",
        ),
        *(
            "OMPI_MCA_orte_hnp_uri",
            "OMPI_MCA_ess",
            "OMPI_COMM_WORLD_RANK",
            "NCCL_VERSION",
            "CUDA_VERSION",
        ),
        *("TF_VAR_password", "TF_CONFIG", "TORCH_HOME", "CUDA_VISIBLE_DEVICES", "PATH", "AWS_SECRET_ACCESS_KEY"),
        *("MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "MPICH_INTERFACE_HOSTNAME", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
        *("TORCHINDUCTOR_REDIS_HOST", "TORCHINDUCTOR_REDIS_URL", "TORCHINDUCTOR_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL"),
        *("TORCHDYNAMO_VERBOSE", "TORCH_LOGS_OUT", "TORCH_LOGS_FORMAT"),
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HOROVOD_TIMELINE_TOKEN"),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
    ],
)
def test_what_changes_no_speed_or_is_decided_by_the_cell_is_not_recorded(name: str) -> None:
    assert launch_settings(cell(controller="mpi"), {name: "7"}, hosts=HERE) == {}


@pytest.mark.parametrize("name", ["HOROVOD_GLOO_IFACE", "OMPI_MCA_btl_tcp_if_include", "UCX_NET_DEVICES"])
def test_interface_is_told_from_others_but_not_named(name: str) -> None:
    one, other = (
        launch_settings(cell(controller="mpi"), {name: value}, hosts=HERE, existing=True)[name]
        for value in ("lo", "eth0")
    )
    assert (one, other) == ("digest 9294ab38", "digest 9c32a8c7")


def test_variable_that_names_cores_is_recorded_where_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are pinned go without it."""
    named = {"GOMP_CPU_AFFINITY": "0-3", "OMP_PLACES": "{0},{1}"}
    monkeypatch.delenv(PINNING_VARIABLE, raising=False)
    assert launch_settings(cell(), named, hosts=HERE) == {}
    monkeypatch.setenv(PINNING_VARIABLE, PINNING_OFF)
    assert launch_settings(cell(), named, hosts=HERE) == named | {"pinning": "off"}


def test_horovodrun_decides_over_gloo_by_what_its_workers_talk() -> None:
    environ = {"HOROVOD_CONTROLLER": "mpi", "HOROVOD_CPU_OPERATIONS": "mpi", "HOROVOD_GLOO_IFACE": "lo"}
    environ |= {"NCCL_SOCKET_IFNAME": "lo", "NCCL_ALGO": "Ring", "HOROVOD_NUM_NCCL_STREAMS": "2"}
    over_gloo, over_mpi = (cell(controller=name).model_copy(update={"device": "gpu"}) for name in ("gloo", "mpi"))
    of_nccl = {"NCCL_ALGO", "HOROVOD_NUM_NCCL_STREAMS"}
    assert launch_settings(over_gloo, environ, hosts=HERE).keys() == of_nccl
    assert launch_settings(over_mpi, environ, hosts=HERE).keys() == environ.keys() - {"HOROVOD_CONTROLLER"}
    assert launch_settings(over_gloo, environ, existing=True).keys() == of_nccl | {"launch"}


@pytest.mark.parametrize(
    "settings",
    [{"NCCL_ALGO": "Ring"}, {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "COLL"}, {"NCCL_TOPO_FILE": "topology.xml"}],
)
def test_setting_of_nccl_is_recorded_where_there_are_gpus(settings: dict[str, str]) -> None:
    on_gpus = cell().model_copy(update={"device": "gpu"})
    assert launch_settings(on_gpus, settings, hosts=HERE) == settings
    assert launch_settings(cell(), settings, hosts=HERE) == {}


@pytest.mark.parametrize("existing", [False, True])
def test_setting_that_mpi_reads_is_recorded_over_mpi_and_of_its_transports_on_gpus(existing: bool) -> None:
    environ = {"UCX_TLS": "tcp", "FI_PROVIDER": "tcp", "OMPI_MCA_coll": "^tuned", "HOROVOD_CYCLE_TIME": "5"}

    def found(made: Cell) -> set[str]:
        return launch_settings(made, environ, hosts=HERE, existing=existing).keys() - {"launch"}

    assert found(cell(controller="gloo")) == {"HOROVOD_CYCLE_TIME"}
    assert found(cell(controller="mpi")) == environ.keys()
    on_gpus = cell(controller="gloo").model_copy(update={"device": "gpu"})
    assert found(on_gpus) == environ.keys() - {"OMPI_MCA_coll"}


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    "setting",
    [
        *("OMPI_MCA_btl=self,tcp", "OMPI_MCA_pml=ucx", "OMPI_MCA_hwloc_base_binding_policy=core"),
        "OMPI_MCA_rmaps_base_mapping_policy=node",
    ],
)
def test_what_the_command_line_of_mpirun_says_is_no_setting_of_the_environment(setting: str, existing: bool) -> None:
    """In a launch that others made it is: mpirun has told its processes what holds."""
    name, _, value = setting.partition("=")
    found = launch_settings(cell(controller="mpi"), {name: value}, hosts=HERE, existing=existing)
    assert found == ({name: value, "launch": "existing"} if existing else {})


def test_parameters_that_open_mpi_reads_at_home_are_recorded_over_mpi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".openmpi" / "mca-params.conf"
    file.parent.mkdir()
    file.write_text(
        "# mine = 1\ncoll=^tuned\n  btl_vader_eager_limit = 1024  # bytes\norte_tmpdir_base = /x\nbtl = tcp\n"
    )
    environ = {"HOME": str(tmp_path), "OMPI_MCA_coll": "^sm"}  # which comes before
    found = launch_settings(cell(controller="mpi"), environ, hosts=HERE)
    assert found == {"OMPI_MCA_coll": "^sm", "OMPI_MCA_btl_vader_eager_limit": "1024"}
    assert launch_settings(cell(controller="gloo"), environ, hosts=HERE) == {}
    monkeypatch.chdir(tmp_path)
    assert launch_settings(cell(controller="mpi"), {}, hosts=HERE) == {}  # without a home


def installed_open_mpi(prefix: Path, answer: str = "mpirun (Open MPI) 5.0.11") -> Path:
    """Its mpirun, whose parameters for all users are in `etc`, as its ompi_info says where OPAL_PREFIX does not."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "etc").mkdir()
    said = f'echo "path:sysconfdir:${{OPAL_PREFIX:-{prefix}}}/etc"'
    for tool, line in (("mpirun", f"echo {shlex.quote(answer)}"), ("ompi_info", said)):
        (prefix / "bin" / tool).write_text(f"#!/bin/sh\n{line}\n")
        (prefix / "bin" / tool).chmod(0o755)
    (prefix / "etc" / "openmpi-mca-params.conf").write_text("coll = ^tuned\nosc = rdma\nbtl_tcp_links = 2\n")
    return prefix / "bin" / "mpirun"


def test_parameters_that_open_mpi_reads_for_all_users_are_recorded_over_mpi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin changes them for the whole cluster. What the user says comes before, variables before both."""
    started_by = installed_open_mpi(tmp_path / "a b")
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: started_by)
    home = tmp_path / "home"
    (home / ".openmpi").mkdir(parents=True)
    (home / ".openmpi" / "mca-params.conf").write_text("osc = pt2pt\nbtl_tcp_links = 3\n")
    environ = {"HOME": str(home), "OMPI_MCA_btl_tcp_links": "4"}
    found = launch_settings(cell(controller="mpi"), environ, hosts=HERE)
    assert found == {
        "mpi": "mpirun (Open MPI) 5.0.11",
        "OMPI_MCA_coll": "^tuned",
        "OMPI_MCA_osc": "pt2pt",
        "OMPI_MCA_btl_tcp_links": "4",
    }
    assert launch_settings(cell(controller="gloo"), environ, hosts=HERE) == {}


def test_parameters_for_all_users_are_read_where_the_wheels_open_mpi_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ompi_info names the place where it was built."""
    started_by = installed_open_mpi(tmp_path)
    monkeypatch.setattr(sys, "executable", str(started_by.with_name("python")))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    started_by.with_name("ompi_info").write_text("#!/bin/sh\necho path:sysconfdir:/opt/openmpi/etc\n")
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: started_by)
    monkeypatch.setattr("harness.run.launch_settings.installed_versions", lambda: {"openmpi": "5.0.11"})
    found = launch_settings(cell(controller="mpi"), {}, hosts=HERE)
    assert found == {"OMPI_MCA_coll": "^tuned", "OMPI_MCA_osc": "rdma", "OMPI_MCA_btl_tcp_links": "2"}


def test_parameters_of_an_open_mpi_are_none_of_another_mpi_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution has the tools of both in one folder."""
    started_by = installed_open_mpi(tmp_path, answer="HYDRA build details:")
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: started_by)
    assert launch_settings(cell(controller="mpi"), {}, hosts=HERE) == {"mpi": "HYDRA build details:"}


@pytest.mark.parametrize(
    ("controller", "existing", "in_force", "recorded"),
    [
        ("mpi", False, True, None),  # the cell's option is set in its place
        ("mpi", True, True, "1"),
        ("mpi", True, False, "0"),  # as Open MPI does where nobody says anything
        ("mpi", True, None, None),  # another MPI, which has no such setting
        ("gloo", True, True, None),
    ],
)
def test_whether_mpi_yields_is_a_launchs_own_where_others_made_it(
    monkeypatch: pytest.MonkeyPatch, controller: str, existing: bool, in_force: bool | None, recorded: str | None
) -> None:
    """MPI had started before the cell was known, and says itself what it does, whatever variables do."""
    monkeypatch.setattr("harness.run.launch_settings.yields_when_idle", lambda: in_force)
    for environ in ({}, {"OMPI_MCA_mpi_oversubscribe": "1"}):
        found = launch_settings(cell(controller=controller), environ, hosts=HERE, existing=existing)
        assert found.get("OMPI_MCA_mpi_yield_when_idle") == recorded
        assert found.keys() <= {"OMPI_MCA_mpi_yield_when_idle", "launch"}


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("mpirun (Open MPI) 5.0.11\n\nReport bugs to ...\n", "mpirun (Open MPI) 5.0.11"),
        (
            "HYDRA build details:\n    Version:      4.3.2\n    Release Date: today\n",
            "HYDRA build details:, Version: 4.3.2",
        ),
    ],
)
def test_mpi_that_is_no_package_is_recorded_as_it_calls_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, version: str
) -> None:
    """Open MPI 4 and 5 have the same name of a library; a module that is loaded decides which it is."""
    mpirun = tmp_path / "mpirun"
    mpirun.write_text(f"#!/bin/sh\nprintf '{answer}'\n")
    mpirun.chmod(0o755)
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: mpirun)
    assert launch_settings(cell(controller="mpi"), {}, hosts=HERE) == {"mpi": version}
    assert of_all({"mpi": version}) == launch_settings(cell(controller="gloo"), {}, hosts=HERE) == {}


@pytest.mark.parametrize(("package", "expected"), [({"openmpi": "4.1.8"}, {}), ({}, {"mpi": "mpirun 4.1.4"})])
def test_mpi_beside_python_is_recorded_where_it_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: dict[str, str], expected: dict[str, str]
) -> None:
    """Conda's is one of its own packages, a distribution's one of its."""
    mpirun = tmp_path / "mpirun"
    mpirun.write_text("#!/bin/sh\necho mpirun 4.1.4\n")
    mpirun.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("harness.run.launch_settings.mpirun", lambda: mpirun)
    monkeypatch.setattr("harness.run.launch_settings.installed_versions", lambda: package)
    assert launch_settings(cell(controller="mpi"), {}, hosts=HERE) == expected


def test_option_of_a_cell_holds_in_place_of_the_environment() -> None:
    environ = {"HOROVOD_CYCLE_TIME": "50", "HOROVOD_FUSION_THRESHOLD": "0"}
    assert launch_settings(cell(cycle_time_ms=5), environ, hosts=HERE) == {"HOROVOD_FUSION_THRESHOLD": "0"}


def test_path_of_this_machine_is_recorded_by_its_last_part() -> None:
    environ = {"LD_PRELOAD": "/usr/lib/x86_64/libjemalloc.so.2:/opt/b.so", "HOROVOD_TIMELINE": "/home/me/t.json"}
    assert launch_settings(cell(), environ, hosts=HERE, launch_args=["--log", "~/logs/x", "10.0.0.0/24"]) == {
        "--launch-args": "--log x 10.0.0.0/24",
        "HOROVOD_TIMELINE": "t.json",
        "LD_PRELOAD": "libjemalloc.so.2:b.so",
    }


def test_serial_cells_are_not_reached_by_what_is_horovods() -> None:
    environ = {"HOROVOD_CYCLE_TIME": "50", "MALLOC_ARENA_MAX": "1"}
    found = launch_settings(cell("serial"), environ, hosts=HERE, launch_args=["--verbose"])
    assert found == {"MALLOC_ARENA_MAX": "1"}


def test_launch_is_recorded_where_it_is_not_this_harness_own_on_this_machine() -> None:
    elsewhere = (Host(name="host.invalid", slots=2),)
    assert launch_settings(cell(), {}, hosts=HERE) == {}
    assert launch_settings(cell(), {}, hosts=(Host(name="127.0.0.1", slots=9),)) == {}
    assert launch_settings(cell(), {}, hosts=elsewhere) == {"hosts": "named"}
    assert launch_settings(cell(), {}, hosts=HERE, launch_args=["--mpi-args", "-x A"]) == {
        "--launch-args": "--mpi-args -x A"
    }
    assert launch_settings(cell(), {}, existing=True) == {"launch": "existing"}


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({"strategy": "torch-ddp"}, {"MALLOC_ARENA_MAX", "PYTORCH_JIT"}),
        ({"strategy": "tf-mirrored", "framework": "tensorflow"}, {"MALLOC_ARENA_MAX", "TF_XLA_FLAGS"}),
        (
            {"strategy": "torch-ddp", "device": "gpu"},
            {"MALLOC_ARENA_MAX", "PYTORCH_JIT", "NCCL_ALGO", "CUDA_LAUNCH_BLOCKING"},
        ),
    ],
)
def test_variables_of_other_frameworks_and_devices_are_not_recorded(fields: dict[str, Any], recorded: set[str]) -> None:
    """NCCL is no matter of Horovod alone."""
    environ = dict.fromkeys(
        ("MALLOC_ARENA_MAX", "TF_XLA_FLAGS", "NCCL_ALGO", "CUDA_LAUNCH_BLOCKING", "PYTORCH_JIT"), "1"
    )
    asked = Cell.model_validate({"workload": "fnn", "workers": 2, **fields})
    assert launch_settings(asked, environ).keys() == recorded


@pytest.mark.parametrize(
    ("launch_args", "recorded"),
    [
        (["--network-interface", "lo", "--verbose"], "--network-interface digest 9294ab38 --verbose"),
        (["--network-interfaces=eth0"], "--network-interfaces=digest 9c32a8c7"),
        (["--mpi-args", "-x TOKEN=abc -x PATH"], "--mpi-args -x TOKEN=digest ba7816bf -x PATH"),
        (["--mpi-args=-x 'TOKEN=a b'"], "--mpi-args=-x TOKEN=digest c8687a08"),
        (["--mpi-args=--x TOKEN=abc"], "--mpi-args=--x TOKEN=digest ba7816bf"),
        (["--mpi-args=--mca mca_base_env_list TOKEN=abc"], "--mpi-args=--mca mca_base_env_list digest 0ffb31a9"),
        (["--mpi-args=--mca btl_tcp_if_include eth0 -v"], "--mpi-args=--mca btl_tcp_if_include digest 9c32a8c7 -v"),
        (["--mpi-args=-x 'TOKEN=abc"], "--mpi-args=digest dccc4ffa"),
        (["--mpi-args=--map-by ppr:6:node", "--cycle-time-ms=5"], "--mpi-args=--map-by ppr:6:node --cycle-time-ms=5"),
    ],
)
def test_no_secret_and_no_interface_of_the_launch_args_is_recorded(launch_args: list[str], recorded: str) -> None:
    assert launch_settings(cell(), {}, hosts=HERE, launch_args=launch_args) == {"--launch-args": recorded}


def test_settings_are_told_apart_by_whom_they_reach() -> None:
    settings = {"HOROVOD_CYCLE_TIME": "5", "launch": "existing", "OMP_PROC_BIND": "true"}
    assert of_all(settings) == {"OMP_PROC_BIND": "true"}
    assert of_horovod(settings, "cpu") == {"HOROVOD_CYCLE_TIME": "5", "launch": "existing"}
    of_transports = {"UCX_TLS": "tcp", "FI_PROVIDER": "efa", "PSM3_DEVICES": "self"}
    over_mpi = {"mpi": "mpirun 5", "OMPI_MCA_btl": "tcp", "HOROVOD_MPI_THREADS_DISABLE": "1"}
    everything = settings | of_transports | over_mpi
    assert of_all(everything) == of_all(settings)
    assert of_mpi(everything, "cpu") == of_transports | over_mpi
    assert of_mpi(everything, "gpu") == over_mpi  # NCCL reads the others, too
    assert of_horovod(everything, "gpu") == of_horovod(settings, "gpu") | of_transports
    assert differing([settings, {"OMP_PROC_BIND": "true"}, {"OMP_PROC_BIND": "true", "launch": "existing"}]) == [
        "HOROVOD_CYCLE_TIME (5; not set)",
        "launch (existing; not set)",
    ]
