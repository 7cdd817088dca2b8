"""What is trained, for hvdbench: which way of updating shared weights trains this model soonest?

It runs as it is, on small images of digits. Make it yours where a line says CHANGE, then ask again:

    hvdbench compare FILE:make
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from harness.workloads import ACCURACY, KerasWorkload

Batch = tuple[Any, Any]  # CHANGE: what your data yield
Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]


def make() -> KerasWorkload:
    """Called once in every worker, after Keras' random numbers were seeded: all begin with the same weights."""
    train, test = data()
    return KerasWorkload(
        model=model(),
        loss=loss,
        score=score,
        train=train,  # a tuple of arrays, or a tf.data.Dataset
        test=test,
        metric=ACCURACY,  # CHANGE: Metric(name="RMSE", unit="stars", better="lower"), say
        sample_unit="image",  # CHANGE: what one sample is
        batch_size=32,  # CHANGE: of one worker
        learning_rate=0.05,  # CHANGE: that suits one worker; strategies scale it where their rule says so
        optimizer="sgd",  # CHANGE: nesterov, adagrad, rmsprop, adam, adamw, or a function that makes one
        momentum=0.9,  # CHANGE
        epochs=12,  # CHANGE: as many as one worker needs for the target, and some more
        target=0.97,  # CHANGE: the score that training is for: how soon it is reached is what is compared
    )


def model() -> keras.Model:
    return keras.Sequential(  # CHANGE: your model
        [
            keras.Input((8, 8, 1)),
            *(layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D()),
            *(layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D()),
            *(layers.Flatten(), layers.Dense(10)),
        ]
    )


def loss(model: keras.Model, batch: Batch) -> Any:
    """The mean over the batch, a scalar."""
    images, labels = batch  # CHANGE, with the line below: your loss
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, model(images), from_logits=True))


def score(model: keras.Model, batch: Batch) -> Any:
    """One value for each sample of the batch, (B,); their mean over the test data is the metric."""
    images, labels = batch  # CHANGE, with the line below: your score
    return ops.cast(ops.equal(ops.argmax(model(images), axis=1), labels), "float32")


def data() -> tuple[Arrays, Arrays]:
    """To train on and, never seen in training, to test on: the same for every worker and every run."""
    pixels, digits = load_digits(return_X_y=True)  # CHANGE, down to the end: your data
    images = (pixels.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    labels = digits.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    held_out, kept = order[:360], order[360:]
    return (images[kept], labels[kept]), (images[held_out], labels[held_out])
