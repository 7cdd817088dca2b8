"""TensorFlow takes its number of threads once a process, and other tests ask for one."""

from __future__ import annotations

from harness.backends.tensorflow_replica import prepare

prepare(num_threads=1)
