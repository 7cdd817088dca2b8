"""Compiled functions that run in the thread of whoever calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor

RUN_BY_CALLER, RUN_BY_POOL = "caller", "inter-op pool"
_UNLESS_CHOSEN = {"disable_model_pruning", "disable_meta_optimizer"}  # options that are always told, as False

_Entry = Callable[[tuple[Any, ...], list[Tensor]], Any]  # of a graph: the arguments, and the tensors in them


def run_by() -> str:
    """Who runs a graph. The pool, as ever, with a GPU, where a step only queues what is to be done, and where a user
    has chosen how TensorFlow optimizes graphs, which it does not do of one that is called as an operation."""
    options = tf.config.optimizer.get_experimental_options()
    is_chosen = any(value or name not in _UNLESS_CHOSEN for name, value in options.items())
    if tf.config.get_visible_devices("GPU") or tf.config.optimizer.get_jit() or is_chosen:
        return RUN_BY_POOL
    return RUN_BY_CALLER


def compiled(function: Callable[..., Any], *, runner: str, is_local: bool = True) -> Callable[..., Any]:
    """As `tf.function(function, autograph=False)`, with one graph for all arguments that are alike.

    `tf.function` has the inter-op pool run a graph, and waits for it. Called as an operation the same graph is run by
    its caller, without the two changes of thread that a short step feels.

    function: of tensors or structures of them; returns a tensor, a tuple of some, or None
    runner: what `run_by` said before anything was traced, where a user's code may choose
    is_local: no other process takes part, so that what failed may be run once more, for TensorFlow to say at what line
    """
    traced = tf.function(function, autograph=False)
    is_by_caller = runner == RUN_BY_CALLER
    entries: dict[tuple[Any, ...], _Entry] = {}

    def call(*arguments: Any) -> Any:
        flat = tf.nest.flatten(arguments)
        key = (_structure_of(arguments), *[(tensor.dtype, tensor.shape) for tensor in flat])
        entry = entries.get(key)
        if entry is None:
            graph = traced.get_concrete_function(*arguments)
            entry = entries[key] = _by_caller(graph, is_local=is_local) if is_by_caller else _by_pool(graph)
        return entry(arguments, flat)

    return call


def _structure_of(arguments: tuple[Any, ...]) -> str | None:
    """None where they are tensors, as is looked for at every step."""
    if all(isinstance(argument, tf.Tensor) for argument in arguments):
        return None
    return repr(tf.nest.map_structure(lambda _: 0, arguments))


def _by_pool(graph: Any) -> _Entry:
    return lambda arguments, flat: graph(*arguments)


def _by_caller(graph: Any, *, is_local: bool) -> _Entry:
    captured = list(graph.captured_inputs)
    types = [tensor.dtype for tensor in graph.outputs]
    is_tuple = isinstance(graph.structured_outputs, tuple)

    def entry(arguments: tuple[Any, ...], flat: list[Tensor]) -> Any:
        try:
            outputs = tf.raw_ops.StatefulPartitionedCall(args=[*flat, *captured], Tout=types, f=graph)
        except tf.errors.OpError:
            if is_local:
                graph(*arguments)  # raises
            raise
        if is_tuple:
            return tuple(outputs)
        return outputs[0] if types else None

    return entry
