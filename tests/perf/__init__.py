"""The harness' own speed, shown by `make perf` as ratios of interleaved runs; no test depends on it."""
