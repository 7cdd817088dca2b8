"""How the regression check is proved on a real machine: `make check-evidence`, or `python -m tests.evidence`."""
