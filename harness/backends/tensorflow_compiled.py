"""Compiled functions that run in the thread of whoever calls them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import Any

import tensorflow as tf

from harness.backends.tensorflow_program import Tensor

RUN_BY_CALLER, RUN_BY_POOL = "caller", "inter-op pool"
_UNLESS_CHOSEN = {"disable_model_pruning", "disable_meta_optimizer"}  # options that are always told, as False

# What another run would ask again of Python, of other processes, or of a data set.
_ASKS_OTHERS = re.compile("PyFunc|^(Horovod|Collective|Iterator)")

_Entry = Callable[[tuple[Any, ...], list[Tensor]], Any]  # of a graph: the arguments, and the tensors in them


def run_by() -> str:
    """Who runs a graph. The pool, as ever, with a GPU, where a step only queues what is to be done, and where a user
    has chosen how TensorFlow optimizes graphs, which it does not do of one that is called as an operation."""
    options = tf.config.optimizer.get_experimental_options()
    is_chosen = any(value or name not in _UNLESS_CHOSEN for name, value in options.items())
    if tf.config.get_visible_devices("GPU") or tf.config.optimizer.get_jit() or is_chosen:
        return RUN_BY_POOL
    return RUN_BY_CALLER


def compiled(function: Callable[..., Any], *, runner: str) -> Callable[..., Any]:
    """As `tf.function(function, autograph=False)`, with one graph for all arguments that are alike.

    `tf.function` has the inter-op pool run a graph, and waits for it. Called as an operation the same graph is run by
    its caller, without the two changes of thread that a short step feels.

    function: of tensors or structures of them; returns a tensor, a tuple of some, or None
    runner: what `run_by` said before anything was traced, where a user's code may choose
    """
    traced = tf.function(function, autograph=False)
    entry_of = _by_caller if runner == RUN_BY_CALLER else _by_pool
    entries: dict[tuple[Any, ...], _Entry] = {}

    def call(*arguments: Any) -> Any:
        flat = tf.nest.flatten(arguments)
        key = (_structure_of(arguments), *[(tensor.dtype, tensor.shape) for tensor in flat])
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = entry_of(traced.get_concrete_function(*arguments))
        return entry(arguments, flat)

    return call


def _structure_of(arguments: tuple[Any, ...]) -> str | None:
    """None where they are tensors, as is looked for at every step."""
    if all(isinstance(argument, tf.Tensor) for argument in arguments):
        return None
    return repr(tf.nest.map_structure(lambda _: 0, arguments))


def _by_pool(graph: Any) -> _Entry:
    return lambda arguments, flat: graph(*arguments)


def _by_caller(graph: Any) -> _Entry:
    captured = list(graph.captured_inputs)
    types = [tensor.dtype for tensor in graph.outputs]
    is_tuple = isinstance(graph.structured_outputs, tuple)

    def entry(arguments: tuple[Any, ...], flat: list[Tensor]) -> Any:
        try:
            outputs = tf.raw_ops.StatefulPartitionedCall(args=[*flat, *captured], Tout=types, f=graph)
        except tf.errors.OpError as error:
            raise _with_its_line(error, graph, arguments) from None
        if is_tuple:
            return tuple(outputs)
        return outputs[0] if types else None

    return entry


def _with_its_line(error: Any, graph: Any, arguments: tuple[Any, ...]) -> Exception:
    """The same error as the pool tells it, which says at what line; the error as it is, where another run of the graph
    would ask others again, or ends otherwise."""
    try:
        if not _asks_others(graph):
            graph(*arguments)
    except Exception as again:
        if type(again) is type(error) and _what_of(error) in str(again):
            return again
    return error


def _asks_others(graph: Any) -> bool:
    """Itself, or by a function that it calls."""
    written = graph.graph.as_graph_def()
    nodes = chain(written.node, *(function.node_def for function in written.library.function))
    return any(_ASKS_OTHERS.search(node.op) for node in nodes)


def _what_of(error: Any) -> str:
    """Of its message, `{{function_node f}} what [[{{node n}}]] [Op:o]`, what went wrong."""
    behind = re.sub(r"^{{function_node .*?}} ", "", error.message)
    return re.split(r"\s*\[\[{{| \[Op:", behind, maxsplit=1)[0]
