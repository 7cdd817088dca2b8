"""Which cores workers get: those free to them, whole physical ones first, near a worker's GPU where it has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")


def listed_cores(text: str) -> frozenset[int]:
    """From the kernel's notation, `0-3,8`. Raises ValueError for what is none."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not numbers:
            raise ValueError(f"{part}: ends before it begins")
        found.update(numbers)
    return frozenset(found)


def in_words(cores: Iterable[int]) -> str:
    """As `listed_cores` reads it."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def physical_core(core: int, cpus: Path = CPUS) -> int:
    """The first of the hyperthreads that share it; itself where the system does not tell."""
    try:
        return min(listed_cores((cpus / f"cpu{core}" / "topology" / "thread_siblings_list").read_text().strip()))
    except (OSError, ValueError):
        return core


def num_physical(cores: Iterable[int], cpus: Path = CPUS) -> int:
    return len({physical_core(core, cpus) for core in cores})


def hyperthreads_beside(cores: Collection[int], free: Iterable[int], cpus: Path = CPUS) -> list[int]:
    """Those of the free ones that share a physical core with these, and are none of them."""
    physical = {physical_core(core, cpus) for core in cores}
    return sorted(core for core in free if core not in cores and physical_core(core, cpus) in physical)


def halves(cores: Iterable[int], cpus: Path = CPUS) -> tuple[list[int], list[int]]:
    """Two parts that split no physical core; the second is empty where there is but one."""
    together: dict[int, list[int]] = {}
    for core in sorted(cores):
        together.setdefault(physical_core(core, cpus), []).append(core)
    physical = list(together)
    middle = (len(physical) + 1) // 2
    parts = physical[:middle], physical[middle:]
    first, second = (sorted(core for each in part for core in together[each]) for part in parts)
    return first, second


def shared_out(
    cores: Collection[int],
    num_workers: int,
    num_each: int,
    *,
    near: Sequence[Collection[int]] = (),
    cpus: Path = CPUS,
) -> list[list[int]] | None:
    """`num_each` cores for each worker; None where there are too few for all.

    near: for each worker those that it takes first, such as those near its GPU.
    """
    if num_workers * num_each > len(cores):
        return None
    left = _physical_first(cores, cpus)
    if not near:  # those that are needed, hyperthreads of a core beside each other: they are one worker's
        left = sorted(left[: num_workers * num_each], key=lambda core: (physical_core(core, cpus), core))
    shares = []
    for worker in range(num_workers):
        if near:
            left.sort(key=lambda core, wanted=near[worker]: core not in wanted)  # type: ignore[misc]
        shares.append(sorted(left[:num_each]))
        left = left[num_each:]
    return shares


def _physical_first(cores: Collection[int], cpus: Path) -> list[int]:
    """One hyperthread of each physical core before the second of any."""
    num_seen: Counter[int] = Counter()
    places = {}
    for core in sorted(cores):
        physical = physical_core(core, cpus)
        places[core] = num_seen[physical], physical
        num_seen[physical] += 1
    return sorted(places, key=places.__getitem__)
