"""A cell as a user writes it, made into all of its fields: what recipe and code say is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness import extensions
from harness.extensions import code_digest, is_extension, normalized, require_unchanged
from harness.optimizers.optimizer import OptimizerOptions
from harness.protocols import StrategyOptions
from harness.registry import OPTIMIZERS, STRATEGIES, strategy_of
from harness.workloads.data import DatasetError
from harness.workloads.datasets import DATASETS
from harness.workloads.shipped import MODELS, recipe_of
from harness.workloads.texts import read_text

_OptionsT = TypeVar("_OptionsT", StrategyOptions, OptimizerOptions)

_UNFOLDED = {"strategy": "options", "optimizer": "optimizer_options"}


def filled_in(given: dict[str, Any]) -> dict[str, Any]:
    """Unfolds `strategy: {name: ..., option: ...}` and the like, fills in the recipe and what code is asked for."""
    given = dict(given)
    for name, details in _UNFOLDED.items():
        _unfold(given, name, details)
    if isinstance(given.get("dataset"), dict):
        _unfold(given, "dataset", _details_of(given["dataset"]))
    if isinstance(given.get("schedule"), str):
        given["schedule"] = {"name": given["schedule"]}
    given.setdefault("options", {})
    given.setdefault("optimizer_options", {})
    _fill_in_strategy(given)
    if given.get("own") is not None or _is_own(given.get("workload"), MODELS, extensions.WORKLOADS):
        _fill_in_own(given)
    else:
        _fill_in_shipped(given)
    return given


def _details_of(dataset: dict[str, Any]) -> str:
    """The field that holds what is said of a data set beside its name. Raises ValueError where nothing may be."""
    name = dataset.get("name")
    source = DATASETS.get(name) if isinstance(name, str) else None
    if source is not None and source.options is None and len(dataset) > 1:
        said = ", ".join(str(key) for key in dataset if key != "name")
        raise ValueError(f"dataset: {name} takes no {said}; allowed: its name alone")
    return "synthetic" if source is None or source.options is None else source.options


def _unfold(given: dict[str, Any], name: str, details: str) -> None:
    value = given.get(name)
    if isinstance(value, dict):
        rest = dict(value)
        given[name] = rest.pop("name", None)
        if rest and given.get(details):
            raise ValueError(f"{details}: stands twice, inside {name} and beside it; allowed: one of them")
        if rest:
            given[details] = rest


def _fill_in_strategy(given: dict[str, Any]) -> None:
    name, folder = given.get("strategy"), given.get("folder")
    if not _is_own(name, STRATEGIES, extensions.STRATEGIES):
        _require("strategy", name, STRATEGIES)
        return
    name = given["strategy"] = normalized(str(name))
    if given.get("strategy_code") is None:
        given["strategy_code"] = code_digest(name, folder, group=extensions.STRATEGIES)
    else:
        require_unchanged(name, folder, given["strategy_code"], group=extensions.STRATEGIES)
    strategy_of(name, folder)


def _is_own(name: Any, ours: Mapping[str, Any], group: str) -> bool:
    """Whether it is the name of a user's code, and none of a table of ours."""
    return isinstance(name, str) and name not in ours and is_extension(name, group=group)


def _fill_in_shipped(given: dict[str, Any]) -> None:
    workload = _require("workload", given.get("workload"), MODELS)
    if given.get("dataset") is None:
        given["dataset"] = MODELS[workload].dataset
    dataset = _require("dataset", given["dataset"], DATASETS)
    _fill_in_recipe(given, recipe_of(workload, dataset))
    details = DATASETS[dataset].options
    if details is not None and isinstance(size := given.get(details) or {}, dict):
        usual = MODELS[workload].synthetic_shape if details == "synthetic" else DATASETS[dataset].usual
        given[details] = {**usual, **(_with_facts(size) if details == "text" else size)}


def _with_facts(text: dict[str, Any]) -> dict[str, Any]:
    """What is asked for of a text, and what is found in it, unless that was found before."""
    if "digest" in text:
        return text
    if not isinstance(text.get("path"), str):
        raise ValueError(f"text.path: {text.get('path')!r}; allowed: a file of text, {{name: text, path: book.txt}}")
    path = str(Path(text["path"]).absolute())
    try:
        found, digest = read_text(path)
    except DatasetError as error:
        raise ValueError(f"text.path: {error}") from None
    return {**text, "path": path, "digest": digest, "num_characters": len(found)}


def _fill_in_own(given: dict[str, Any]) -> None:
    """`own` and `recipe` come from a dry step (harness/suite/own_facts.py), which no cell takes by itself."""
    given["workload"] = normalized(given["workload"])
    if given.get("own") is None:
        raise ValueError(f"workload: {given['workload']}: its own facts are missing; a suite's cells have them")
    _fill_in_recipe(given, given.pop("recipe", {}))
    if given.get("dataset") is not None:
        raise ValueError(f"dataset: {given['dataset']!r} with workload {given['workload']}, which brings its own data")


def _fill_in_recipe(given: dict[str, Any], recipe: Mapping[str, Any]) -> None:
    """What the cell leaves open, as its workload has it; the recipe's momentum where the cell's optimizer takes one."""
    if given.get("lr_scaling", "none") != "none" and "learning_rate" not in given:
        _keep_base_of_rate(given, recipe.get("batch_size"))
    has_another_optimizer = "optimizer" in given  # where the recipe's has no use for its momentum, that is refused
    given.update({name: value for name, value in recipe.items() if name not in (*given, "momentum")})
    _unfold(given, "optimizer", "optimizer_options")
    if "momentum" in recipe:
        has_use = takes_momentum(given.get("optimizer", "sgd")) or not has_another_optimizer
        given.setdefault("momentum", recipe["momentum"] if has_use else 0.0)


def _keep_base_of_rate(given: dict[str, Any], recipe_batch_size: Any) -> None:
    """The recipe's rate is meant for its own batch, whatever the cell's is."""
    if given.get("batch_size", recipe_batch_size) != recipe_batch_size:
        given.setdefault("base_batch_size", recipe_batch_size)


def takes_momentum(optimizer: Any) -> bool:
    return isinstance(optimizer, str) and optimizer in OPTIMIZERS and OPTIMIZERS[optimizer].takes_momentum


def options_of(kind: type[_OptionsT], given: Any) -> _OptionsT:
    given = given.model_dump() if isinstance(given, StrategyOptions | OptimizerOptions) else given
    if not isinstance(given, dict):
        raise ValueError(f"{given!r}; allowed: a mapping of options to their values")
    return kind.model_validate(given)


def _require(name: str, value: Any, allowed: Any) -> str:
    if not isinstance(value, str) or value not in allowed:
        code = "" if name == "dataset" else ", or code of your own: file.py:name"
        raise ValueError(f"{name}: {value!r}; allowed: {', '.join(allowed)}{code}")
    return value
