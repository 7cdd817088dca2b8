"""The manifests of suites/cluster: known fields alone, and parts that fit one another, the image and the suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.launchers.hosts import Host
from harness.run.feasible import first_obstacle
from harness.suite.suite import Suite
from tests.cluster.kubernetes_schema import faults

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "suites" / "cluster"
MANIFESTS = ("mpijob.yaml", "indexed-job.yaml")


def objects(name: str) -> dict[str, Any]:
    """Of a manifest, by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all((FOLDER / name).read_text())}


def pods(name: str) -> dict[str, dict[str, Any]]:
    """The specs of a manifest's pods, by role."""
    found = objects(name)
    if "MPIJob" in found:
        replicas = found["MPIJob"]["spec"]["mpiReplicaSpecs"]
        return {role: each["template"]["spec"] for role, each in replicas.items()}
    return {"Job": found["Job"]["spec"]["template"]["spec"]}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_has_known_fields_alone(name: str) -> None:
    assert [fault for kind, each in objects(name).items() for fault in faults(each, kind, kind)] == []


def test_schema_names_what_is_wrong() -> None:
    job = objects("indexed-job.yaml")["Job"]
    spec = job["spec"]
    spec["completions"] = "2"
    spec["completionmode"] = spec.pop("completionMode")
    del spec["template"]["spec"]["containers"][0]["image"]
    assert list(faults(job, "Job", "Job")) == [
        "Job.spec.completions: '2' is no int",
        "Job.spec.template.spec.containers[0]: image is missing",
        "Job.spec.completionmode: no such field; allowed: completionMode, completions, parallelism, backoffLimit, "
        "successPolicy, template",
    ]


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_run_as_nobody_special_on_a_root_that_nobody_writes(name: str) -> None:
    for spec in pods(name).values():
        assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert {"/work", "/tmp", "/dev/shm"} <= mounted.keys()
        assert set(mounted.values()) == {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("name", MANIFESTS)
def test_volume_that_all_pods_share_is_claimed_for_many_writers(name: str) -> None:
    claim = objects(name)["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for spec in pods(name).values():
        shared = [volume for volume in spec["volumes"] if volume["name"] == "work"]
        assert shared == [{"name": "work", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}]


def test_pods_of_the_plain_job_find_one_another_by_its_service() -> None:
    found = objects("indexed-job.yaml")
    job, service = found["Job"], found["Service"]
    name = job["metadata"]["name"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    spec = job["spec"]["template"]["spec"]
    assert spec["subdomain"] == service["metadata"]["name"]
    (container,) = spec["containers"]
    told = {each["name"]: each["value"] for each in container["env"]}
    assert int(told["PODS"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert container["resources"]["limits"]["cpu"] == told["SLOTS"]
    assert f"{name}-$index.{name}:$SLOTS" in container["args"][0]


def test_keys_are_where_the_image_looks_for_them() -> None:
    home = "/home/hvdbench/.ssh"
    assert objects("mpijob.yaml")["MPIJob"]["spec"]["sshAuthMountPath"] == home
    (container,) = pods("indexed-job.yaml")["Job"]["containers"]
    assert {"name": "ssh", "mountPath": home} in container["volumeMounts"]
    for config in ("ssh_config", "sshd_config"):
        assert f"{home}/id_rsa" in (FOLDER / config).read_text()
        assert "Port 2222" in (FOLDER / config).read_text()
    (worker,) = pods("mpijob.yaml")["Worker"]["containers"]
    assert worker["readinessProbe"] == {"tcpSocket": {"port": 2222}}
    assert f" {worker['command'][-1]}\n" in (ROOT / "Dockerfile").read_text()  # COPY suites/cluster/sshd_config ...


@pytest.mark.parametrize("script", ["slurm.sh", "pbs.sh", "lsf.sh", *MANIFESTS])
def test_suite_that_is_run_fits_the_hosts_and_slots_that_are_asked_for(script: str) -> None:
    text = (FOLDER / script).read_text()
    assert "hvdbench run" in text
    assert "suites/cluster.yaml" in text
    hosts = tuple(Host(name=f"192.0.2.{number}", slots=4) for number in (1, 2))
    assert first_obstacle(Suite.load(ROOT / "suites" / "cluster.yaml").cells, hosts) is None
    asked = {
        "slurm.sh": ("--nodes=2", "--ntasks-per-node=4"),
        "pbs.sh": ("select=2:ncpus=4:mpiprocs=4",),
        "lsf.sh": ("-n 8", "ptile=4"),
        "mpijob.yaml": ("replicas: 2", "slotsPerWorker: 4"),
        "indexed-job.yaml": ('PODS, value: "2"', 'SLOTS, value: "4"'),
    }[script]
    assert all(each in text for each in asked)
