"""Compiled functions that run in the thread of whoever calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor

STEPS_RUN_BY_CALLER, STEPS_RUN_BY_POOL = "caller", "inter-op pool"


def steps_run_by() -> str:
    return STEPS_RUN_BY_POOL if tf.config.get_visible_devices("GPU") else STEPS_RUN_BY_CALLER


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `tf.function(function, autograph=False)`, with one graph for all arguments of the same shapes and types.

    `tf.function` has the inter-op pool run a graph, and waits for it. Called as an operation the same graph is run by
    its caller, without the two changes of thread that a short step feels. With a GPU, where a step only queues what is
    to be done, it is run as TensorFlow would.

    function: of tensors, or structures of them that are alike in every call; returns a tensor, a tuple of some, or None
    """
    traced = tf.function(function, autograph=False)
    entry_of = _by_the_caller if steps_run_by() == STEPS_RUN_BY_CALLER else _by_the_pool
    entries: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def call(*arguments: Any) -> Any:
        flat = tf.nest.flatten(arguments, expand_composites=True)
        key = tuple([(tensor.dtype, tensor.shape) for tensor in flat])
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = entry_of(traced.get_concrete_function(*arguments))
        return entry(arguments, flat)

    return call


def _by_the_pool(graph: Any) -> Callable[[tuple[Any, ...], list[Tensor]], Any]:
    return lambda arguments, flat: graph(*arguments)


def _by_the_caller(graph: Any) -> Callable[[tuple[Any, ...], list[Tensor]], Any]:
    captured = list(graph.captured_inputs)
    types = [tensor.dtype for tensor in graph.outputs]
    is_tuple = isinstance(graph.structured_outputs, tuple)

    def entry(arguments: tuple[Any, ...], flat: list[Tensor]) -> Any:
        outputs = tf.raw_ops.StatefulPartitionedCall(args=[*flat, *captured], Tout=types, f=graph)
        if is_tuple:
            return tuple(outputs)
        return outputs[0] if types else None

    return entry
