"""The regression check: two arms, randomised interleaved pairs, an exact test, an exit code. Needs no framework."""
