"""The fields of Kubernetes' and the MPI Operator's objects that suites/cluster uses, and a check that knows no others.

Names and types as in the API reference of Kubernetes 1.37 (batch/v1, core/v1) and the MPI Operator's definition of
kubeflow.org/v2beta1 of 2026-07-03, against which the manifests were checked in full; a misspelt field, which a server
may drop without a word, is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Kind = type | str | list[Any] | dict[str, Any] | frozenset[str]

NAMED: Kind = {"name!": str, "labels": {"*": str}}
QUANTITIES: Kind = {"cpu": str, "memory": str, "storage": str}
# By kind: its fields; `!` those that must be there, `*` any. A list holds items of its one kind, a string names a kind.
KINDS: dict[str, dict[str, Kind]] = {
    "PersistentVolumeClaim": {
        "apiVersion!": frozenset({"v1"}),
        "kind!": str,
        "metadata!": NAMED,
        "spec!": {
            "accessModes!": [frozenset({"ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"})],
            "resources!": {"requests!": QUANTITIES},
            "storageClassName": str,
        },
    },
    "Service": {
        "apiVersion!": frozenset({"v1"}),
        "kind!": str,
        "metadata!": NAMED,
        "spec!": {"clusterIP": str, "publishNotReadyAddresses": bool, "selector!": {"*": str}},
    },
    "Job": {
        "apiVersion!": frozenset({"batch/v1"}),
        "kind!": str,
        "metadata!": NAMED,
        "spec!": {
            "completionMode": frozenset({"Indexed", "NonIndexed"}),
            "completions": int,
            "parallelism": int,
            "backoffLimit": int,
            "successPolicy": {"rules!": [{"succeededIndexes": str, "succeededCount": int}]},
            "template!": "PodTemplate",
        },
    },
    "MPIJob": {
        "apiVersion!": frozenset({"kubeflow.org/v2beta1"}),
        "kind!": str,
        "metadata!": NAMED,
        "spec!": {
            "slotsPerWorker": int,
            "sshAuthMountPath": str,
            "mpiImplementation": frozenset({"OpenMPI", "Intel", "MPICH"}),
            "launcherCreationPolicy": frozenset({"AtStartup", "WaitForWorkersReady"}),
            "runPolicy": {"cleanPodPolicy": frozenset({"None", "Running", "All"}), "backoffLimit": int},
            "mpiReplicaSpecs!": {"Launcher!": "Replicas", "Worker!": "Replicas"},
        },
    },
    "Replicas": {"replicas": int, "restartPolicy": frozenset({"Never", "OnFailure"}), "template!": "PodTemplate"},
    "PodTemplate": {
        "metadata": NAMED,
        "spec!": {
            "containers!": ["Container"],
            "volumes": ["Volume"],
            "subdomain": str,
            "restartPolicy": frozenset({"Never", "OnFailure"}),
            "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "fsGroup": int},
        },
    },
    "Container": {
        "name!": str,
        "image!": str,
        "command": [str],
        "args": [str],
        "env": [{"name!": str, "value": str}],
        "resources": {"requests": QUANTITIES, "limits": QUANTITIES},
        "readinessProbe": {"tcpSocket": {"port!": int}},
        "securityContext": {
            "readOnlyRootFilesystem": bool,
            "allowPrivilegeEscalation": bool,
            "capabilities": {"add": [str], "drop": [str]},
        },
        "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
    },
    "Volume": {
        "name!": str,
        "persistentVolumeClaim": {"claimName!": str},
        "secret": {"secretName!": str},
        "emptyDir": {"medium": frozenset({"Memory"}), "sizeLimit": str},
    },
}


def faults(value: Any, kind: Kind, where: str) -> Iterator[str]:
    """What is wrong with a value, a line each; nothing where it is of the kind."""
    if isinstance(kind, str):
        kind = KINDS[kind]
    if isinstance(kind, dict):
        yield from _faults_of_object(value, kind, where)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no list"
            return
        for position, item in enumerate(value):
            yield from faults(item, kind[0], f"{where}[{position}]")
    elif isinstance(kind, frozenset):
        if value not in kind:
            yield f"{where}: {value!r}; allowed: {', '.join(sorted(kind))}"
    elif type(value) is not kind:
        yield f"{where}: {value!r} is no {kind.__name__}"


def _faults_of_object(value: Any, fields: dict[str, Kind], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    known = {name.rstrip("!"): kind for name, kind in fields.items()}
    yield from (f"{where}: {name[:-1]} is missing" for name in fields if name[-1] == "!" and name[:-1] not in value)
    for name, inner in value.items():
        kind = known.get(name, known.get("*"))
        if kind is None:
            yield f"{where}.{name}: no such field; allowed: {', '.join(known)}"
        else:
            yield from faults(inner, kind, f"{where}.{name}")
