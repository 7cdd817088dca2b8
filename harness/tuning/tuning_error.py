"""Why there is no tuning."""

from __future__ import annotations


class TuningError(Exception):
    """Tuning that cannot be done; the message says what stands in the way and what would do."""
