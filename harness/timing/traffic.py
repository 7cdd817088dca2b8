"""Bytes sent, counted alike for every strategy."""

from __future__ import annotations


def allreduce_bytes(num_bytes: int, num_workers: int) -> int:
    """What each worker sends in a bandwidth-optimal allreduce of `num_bytes`: 2 (p−1)/p · n (Patarasuk and Yuan 2009).

    The count of the ring, whatever algorithm the library picks, so that strategies compare.
    """
    return round(2 * (num_workers - 1) / num_workers * num_bytes)


def allgather_bytes(num_bytes: int, num_workers: int) -> int:
    """What each worker sends for all to have everybody's `num_bytes`: its own and, around the ring, p − 2 others'."""
    return (num_workers - 1) * num_bytes
