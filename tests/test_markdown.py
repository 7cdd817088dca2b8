from __future__ import annotations

import pytest

from harness.markdown import escape_markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b ~c~ \\d", r"a\_b \~c\~ \\d"),
        ("| <b> [x](y) `z`", r"\| \<b\> \[x\]\(y\) \`z\`"),
        ("one\n# two\t", r"one \# two"),
        ("http://a.org HTTPS://b.org", "http:\u2060//a.org HTTPS:\u2060//b.org"),
        ("www.c.org", "www\u2060.c.org"),
        ("@team a@b.org", "\\@\u2060team a\\@\u2060b.org"),
        ("red \x1b[31m", r"red \[31m"),
        (12, "12"),
    ],
)
def test_escape_markdown_leaves_plain_text(text: object, escaped: str) -> None:
    assert escape_markdown(text) == escaped
