"""Older records as the newest schema has them. A version's lift is written when the next one comes, and then stays.

What a version knew of strategies and models is written down here as it was: the tables of today may say something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_Content = dict[str, Any]

# Version 1: the strategies that there were, with their options' defaults, and how their workers reached each other.
_HOROVOD_V1 = {"cycle_time_ms": None, "fusion_threshold_bytes": None, "mpi_yield_when_idle": True}
_OPTIONS_V1: dict[str, _Content] = {
    "serial": {},
    "allreduce": {
        **_HOROVOD_V1,
        "op": "average",
        "compression": "none",
        "backward_passes_per_step": 1,
        "mpi_yield_when_idle": False,
    },
    "allreduce-flat": _HOROVOD_V1,
    "local-sgd": {**_HOROVOD_V1, "period": 8},
    "post-local-sgd": {**_HOROVOD_V1, "period": 8, "switch_epoch": 1.0},
    "delayed-averaging": {
        **_HOROVOD_V1,
        "merge": "delta",
        "period": 4,
        "delay": 4,
        "keep": 0.25,
        "pull": 0.6,
        "anchor_momentum": 0.7,
    },
}
_NEEDS_V1 = {
    **dict.fromkeys(_OPTIONS_V1, "collective"),
    "serial": "alone",
    "hogwild": "shared",
    "torch-ddp": "torch-distributed",
    "tf-multiworker": "tf-multiworker",
    "tf-mirrored": "tf-mirrored",
    "tf-parameter-server": "tf-parameter-server",
}
_INJECTION_V1: _Content = {
    "rank": 0,
    "slowdown": 0.0,
    "doubled_traffic": False,
    "ballast_bytes": 0,
    "accuracy_drop": 0.0,
    "crash_at": None,
}
_ACCURACY_V1: _Content = {"name": "accuracy", "unit": "share", "better": "higher", "bounds": [0.0, 1.0]}


def lifted(content: _Content, *, newest: int) -> _Content:
    """The content of a record of any version up to `newest`, as `newest` has it. Raises KeyError, TypeError and the
    like where it is no record of the version that it names."""
    return _lifted_by(LIFTS, content, newest)


def lifted_parity(content: _Content, *, newest: int) -> _Content:
    """The same of a line of parity.jsonl."""
    return _lifted_by(PARITY_LIFTS, content, newest)


def _lifted_by(lifts: dict[int, Callable[[_Content], _Content]], content: _Content, newest: int) -> _Content:
    while content["schema_version"] < newest:
        content = lifts[content["schema_version"]](content)
    return content


def _from_1(content: _Content) -> _Content:
    """Cells were validated against the registry as they were read, and every model was judged by its accuracy."""
    rest = dict(content)
    cell, key, group = rest.pop("cell"), rest.pop("key"), rest.pop("group")
    curve = [{**_without(point, "accuracy"), "score": point["accuracy"]} for point in rest["curve"]]
    return {**rest, "schema_version": 2, "curve": curve, "cell": _cell_from_1(cell, key, group)}


def _from_2(content: _Content) -> _Content:
    """How it was measured had no number."""
    return {**content, "schema_version": 3, "measuring": 1}


def _cell_from_1(cell: _Content, key: str, group: str) -> _Content:
    fields = dict(cell)
    injected = ""
    if fields.get("inject") is not None:
        given = _differing(fields["inject"], _INJECTION_V1)
        fields["inject"] = {"score_drop" if name == "accuracy_drop" else name: value for name, value in given.items()}
        injected = " · injected " + " ".join(f"{name}={value}" for name, value in fields["inject"].items())
    options = _differing(cell["options"], _OPTIONS_V1.get(cell["strategy"], {}))
    series = " ".join([cell["strategy"], *(f"{name}={value}" for name, value in options.items())])
    where = f"{cell['workers']}×{cell['threads']} {cell['device']}"
    over = f" · {cell['controller']}" if cell.get("controller") else ""
    return {
        "key": key,
        "group": group,
        "title": f"{cell['workload']} · {cell['dataset']} · {series} · {cell['framework']} · {where}{over}{injected}",
        "problem": _problem_1(cell),
        "series": series,
        "needs": _NEEDS_V1.get(cell["strategy"], "unknown"),
        "metric": _ACCURACY_V1,
        "sample_unit": "image",
        "fields": fields,
    }


def _problem_1(cell: _Content) -> str:
    shape = cell.get("synthetic")
    name = f"{cell['workload']} on {cell['dataset']}"
    if shape is None:
        return name
    size, channels = shape["size"], shape["channels"]
    return f"{name} ({shape['num_samples']} of {size}×{size}×{channels}, {shape['num_classes']} classes)"


def _differing(values: _Content, defaults: _Content) -> _Content:
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def _without(content: _Content, name: str) -> _Content:
    return {key: value for key, value in content.items() if key != name}


def _parity_from_1(content: _Content) -> _Content:
    """Plain SGD was compared, and no score."""
    return {**content, "schema_version": 2, "optimizer": "sgd", "score": None}


PARITY_LIFTS: dict[int, Callable[[_Content], _Content]] = {1: _parity_from_1}
LIFTS: dict[int, Callable[[_Content], _Content]] = {1: _from_1, 2: _from_2}
