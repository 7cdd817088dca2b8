from __future__ import annotations

from tests.gpu.trace import fences_inside, num_fences, num_spans


def event(name: str, cat: str, ts: float, dur: float = 1.0) -> dict[str, object]:
    return {"ph": "X", "name": name, "cat": cat, "ts": ts, "dur": dur}


TRACE = [
    {"ph": "M", "name": "process_name"},
    event("step", "user_annotation", 0, 10),
    event("step", "user_annotation", 20, 10),
    event("step", "gpu_user_annotation", 10, 10),  # where the device was at it
    event("cudaLaunchKernel", "cuda_runtime", 1),
    event("cudaStreamSynchronize", "cuda_runtime", 5),
    event("cudaDeviceSynchronize", "cuda_runtime", 12),  # a window's edge
    event("cudaStreamSynchronize", "cuda_runtime", 25),
    event("Memcpy HtoD (Pageable -> Device)", "gpu_memcpy", 26),
    event("Memcpy DtoD (Device -> Device)", "gpu_memcpy", 27),
]


def test_fences_inside_are_those_between_a_spans_ends() -> None:
    assert fences_inside(TRACE, "step") == {"cudaStreamSynchronize": 2, "Memcpy HtoD (Pageable -> Device)": 1}


def test_fences_inside_no_span_are_none() -> None:
    assert fences_inside(TRACE, "window") == {}


def test_num_fences_counts_them_wherever_they_are() -> None:
    assert num_fences(TRACE) == 3


def test_num_spans_counts_those_of_the_host() -> None:
    assert num_spans(TRACE, "step") == 2
