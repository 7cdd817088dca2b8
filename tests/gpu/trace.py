"""What a trace of torch.profiler says of the host's waiting for the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

FENCES = ("cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaEventSynchronize", "cudaMemcpy", "cuCtxSynchronize")
Event = Mapping[str, Any]  # of the trace format of Chrome: name, cat, ts and dur in µs


def fences_inside(events: Iterable[Event], span: str) -> Counter[str]:
    """Calls that wait for the device, and copies from memory that is not pinned, while a span of that name lasts."""
    timed = [event for event in events if event.get("ph") == "X"]
    spans = sorted((event["ts"], event["ts"] + event["dur"]) for event in timed if _is_span(event, span))
    waits = (event for event in timed if _waits(event))
    return Counter(event["name"] for event in waits if any(start <= event["ts"] < end for start, end in spans))


def num_fences(events: Iterable[Event]) -> int:
    """Calls that wait for the device, wherever."""
    return sum(event.get("ph") == "X" and event["name"] in FENCES for event in events)


def num_spans(events: Iterable[Event], span: str) -> int:
    return sum(event.get("ph") == "X" and _is_span(event, span) for event in events)


def _is_span(event: Event, name: str) -> bool:
    return event.get("cat") == "user_annotation" and event["name"] == name


def _waits(event: Event) -> bool:
    return event["name"] in FENCES or (event.get("cat") == "gpu_memcpy" and "Pageable" in event["name"])
