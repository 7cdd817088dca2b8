"""One rank of a run: warm up, train against the clock, evaluate afterwards."""
