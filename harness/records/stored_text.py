"""Text as records have it: whatever it held is such that a page, a table, a terminal or XML can take it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from harness.plain_text import shown

Text = Annotated[str, AfterValidator(shown)]
