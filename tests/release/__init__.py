"""What a release is made of, and whether it holds: `python -m tests.release dist`."""
