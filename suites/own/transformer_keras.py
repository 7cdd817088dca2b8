"""The transformer of transformer.py in Keras, with its layers in the same order as in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

EPSILON = 1e-5  # PyTorch's


class Block(layers.Layer):
    """Attention to what came before, then two layers on each position; each added to what came in."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.width, self.num_heads = width, num_heads
        self.norm_1 = layers.LayerNormalization(epsilon=EPSILON)
        self.heads = layers.Dense(3 * width)
        self.mix = layers.Dense(width)
        self.norm_2 = layers.LayerNormalization(epsilon=EPSILON)
        self.up = layers.Dense(4 * width, activation="relu")
        self.down = layers.Dense(width)

    def call(self, inputs: Any) -> Any:  # (B, T, D)
        length, each = inputs.shape[1], self.width // self.num_heads
        by_head = tf.reshape(self.heads(self.norm_1(inputs)), (-1, length, 3, self.num_heads, each))
        query, key, value = tf.unstack(tf.transpose(by_head, (2, 0, 3, 1, 4)))  # (B, H, T, D / H) each
        before = tf.linalg.band_part(tf.ones((length, length), bool), -1, 0)
        fit = tf.where(before, tf.matmul(query, key, transpose_b=True) / each**0.5, -1e9)
        attended = tf.transpose(tf.matmul(tf.nn.softmax(fit), value), (0, 2, 1, 3))
        inputs = inputs + self.mix(tf.reshape(attended, (-1, length, self.width)))
        return inputs + self.down(self.up(self.norm_2(inputs)))


class Transformer(keras.Model):
    def __init__(self, num_kinds: int, *, length: int, width: int, num_heads: int, num_blocks: int) -> None:
        super().__init__()
        self.character = layers.Embedding(num_kinds, width)
        self.place = layers.Embedding(length, width)
        self.blocks = [Block(width, num_heads) for _ in range(num_blocks)]
        self.norm = layers.LayerNormalization(epsilon=EPSILON)
        self.head = layers.Dense(num_kinds)
        self(tf.zeros((1, length), tf.int64))  # makes the variables

    def call(self, characters: Any) -> Any:  # (B, T)
        inputs = self.character(characters) + self.place(tf.range(characters.shape[1]))
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(self.norm(inputs))  # (B, T, kinds)


model_of = Transformer


def tensors(windows: NDArray) -> tuple[NDArray]:  # (N, T + 1)
    return (windows,)


def score(model: keras.Model, batch: tuple[Any]) -> Any:
    """Nats a character of each window, (B,)."""
    (windows,) = batch
    guesses = model(windows[:, :-1])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(windows[:, 1:], guesses), axis=1)


def loss(model: keras.Model, batch: tuple[Any]) -> Any:
    return tf.reduce_mean(score(model, batch))


def from_torch(parameters: Mapping[str, NDArray]) -> list[NDArray]:
    """In Keras a dense kernel is (in, out), in PyTorch (out, in); embeddings and norms are alike."""
    embeddings = ("character.weight", "place.weight")
    return [array.T if array.ndim == 2 and name not in embeddings else array for name, array in parameters.items()]
