"""In which circumstances two arms differ, and which has what."""

from __future__ import annotations

from collections.abc import Mapping


def differences_of_arms(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """`torch: A has 2.12.0, B has none` for each package of another version, or setting of another value."""
    return [
        f"{name}: A has {a.get(name, 'none')}, B has {b.get(name, 'none')}"
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]
