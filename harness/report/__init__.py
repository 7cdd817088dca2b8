"""The comparison report: one self-contained page, its figures as files, the data they draw, a Markdown summary."""

from __future__ import annotations

from harness.report.page import write_report

__all__ = ["write_report"]
