"""What a process says that it used."""

from __future__ import annotations

import pytest

from harness.worker import usage
from harness.worker.usage import UsageMeter


def test_meter_counts_cpu_time_from_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_s = iter([3.0, 5.0, 9.0])
    monkeypatch.setattr(usage, "_cpu_s", lambda: next(taken_s))
    meter = UsageMeter()
    assert meter.read().cpu_s == 2.0
    assert meter.read(share=0.5).cpu_s == 3.0


def test_a_share_of_memory_is_of_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, quarter = UsageMeter().read(), UsageMeter().read(share=0.25)
    assert quarter.peak_rss_bytes == pytest.approx(whole.peak_rss_bytes / 4, rel=0.05)
    assert whole.pss_bytes is not None
    assert 0 < whole.pss_bytes <= whole.peak_rss_bytes
    monkeypatch.setattr(usage, "_pss_bytes", lambda: 1000)
    assert UsageMeter().read(share=0.25).pss_bytes == 250
    monkeypatch.setattr(usage, "_pss_bytes", lambda: None)
    assert UsageMeter().read(share=0.25).pss_bytes is None
