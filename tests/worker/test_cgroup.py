"""What control groups say, on trees made by hand as the two versions have them, and of a real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.worker.cgroup import cpuset, free_bytes, quota_cores, throttled_s
from tests.quotas import quota_of


def proc(folder: Path, cgroup: str, *mounts: str) -> Path:
    (folder / "cgroup").write_text(f"{cgroup}\n")
    (folder / "mountinfo").write_text("".join(f"30 20 0:26 {mount}\n" for mount in mounts))
    return folder


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")
    return folder


def test_version_2_has_the_tightest_quota_of_all_groups_around(tmp_path: Path) -> None:
    mount = tmp_path / "fs"
    group(mount / "job" / "step", cpu__max="max 100000", cpu__stat="usage_usec 9\nthrottled_usec 0")
    group(mount / "job", cpu__max="50000 100000", cpu__stat="throttled_usec 2500000", cpuset__cpus__effective="2-3")
    group(mount, cpu__stat="usage_usec 9")
    here = proc(tmp_path, "0::/job/step", f"/ {mount} rw - cgroup2 cgroup2 rw")
    assert (quota_cores(here), throttled_s(here), cpuset(here)) == (0.5, 2.5, {2, 3})


def test_version_1_has_a_tree_a_controller(tmp_path: Path) -> None:
    cpu, sets = tmp_path / "cpu", tmp_path / "cpuset"
    group(cpu / "a", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000", cpu__stat="throttled_time 1500000000")
    group(cpu, cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000", cpu__stat="throttled_time 0")
    group(sets / "b", cpuset__effective_cpus="0,4")
    here = proc(
        tmp_path,
        "4:cpuset:/b\n3:cpu,cpuacct:/a\n0::/",
        f"/ {cpu} rw shared:9 - cgroup cgroup rw,cpu,cpuacct",
        f"/ {sets} rw - cgroup cgroup rw,cpuset",
    )
    assert (quota_cores(here), throttled_s(here), cpuset(here)) == (3.0, 1.5, {0, 4})


def test_a_container_sees_its_own_group_as_the_mounted_one(tmp_path: Path) -> None:
    mount = group(tmp_path / "fs", cpu__max="150000 100000")
    assert quota_cores(proc(tmp_path, "0::/../../docker/abc", f"/docker/abc {mount} rw - cgroup2 cgroup rw")) == 1.5
    assert quota_cores(proc(tmp_path, "0::/docker/abc", f"/docker/abc {mount} rw - cgroup2 cgroup rw")) == 1.5


def test_memory_of_the_tightest_group_counts_pages_of_files_as_free(tmp_path: Path) -> None:
    mount = tmp_path / "fs"
    cached = "anon 40\ninactive_file 30\nactive_file 20\nshmem 7"
    group(mount / "job" / "step", memory__max="max", memory__current="90", memory__stat=cached)
    group(mount / "job", memory__max="1000", memory__current="900", memory__stat=cached)  # 100 + 50
    group(mount)
    assert free_bytes(proc(tmp_path, "0::/job/step", f"/ {mount} rw - cgroup2 cgroup2 rw")) == 150
    group(mount / "job" / "step", memory__max="100")  # 10 + 50
    assert free_bytes(proc(tmp_path, "0::/job/step", f"/ {mount} rw - cgroup2 cgroup2 rw")) == 60
    group(mount / "job" / "step", memory__current="190")  # as where the limit was lowered
    assert free_bytes(proc(tmp_path, "0::/job/step", f"/ {mount} rw - cgroup2 cgroup2 rw")) == 0


def test_memory_of_version_1_is_that_of_the_groups_within_too(tmp_path: Path) -> None:
    mount = tmp_path / "memory"
    cached = "inactive_file 1\nactive_file 1\ntotal_inactive_file 30\ntotal_active_file 20"
    group(mount / "a", memory__limit_in_bytes="1000", memory__usage_in_bytes="900", memory__stat=cached)
    group(mount, memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes="900")  # none
    here = proc(tmp_path, "4:memory:/a\n0::/", f"/ {mount} rw - cgroup cgroup rw,memory")
    assert free_bytes(here) == 150


def test_without_limits_nothing_is_told(tmp_path: Path) -> None:
    assert (quota_cores(tmp_path), throttled_s(tmp_path), cpuset(tmp_path)) == (None, None, None)
    assert free_bytes(tmp_path) is None
    here = proc(tmp_path, "0::/", f"/ {tmp_path / 'fs'} rw - cgroup2 cgroup2 rw")
    assert (quota_cores(here), throttled_s(here), cpuset(here)) == (None, None, None)


SPIN = """
import json, os, sys, time
from harness.worker.machine_description import describe_machine
from harness.worker.cgroup import quota_cores, throttled_s
open(sys.argv[1], "w").write(str(os.getpid()))
before, until = throttled_s(), time.process_time() + 0.1
while time.process_time() < until:
    pass
machine = describe_machine()
print(json.dumps([quota_cores(), throttled_s() - before, machine.cpu_quota, machine.fingerprint]))
"""


@pytest.mark.needs_quotas
def test_a_twentieth_of_a_core_is_another_machine_and_seen_to_hold_back() -> None:
    from harness.worker.machine_description import describe_machine

    with quota_of(0.05) as limited:
        argv = [sys.executable, "-c", SPIN, str(limited / "cgroup.procs")]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    quota, held_s, recorded, fingerprint = json.loads(done.stdout)
    assert quota == recorded == 0.05
    assert held_s > 0
    assert fingerprint != describe_machine().fingerprint
