"""The line that an error's path stands in."""

from __future__ import annotations

import pytest

from lineage.web.json_lines import line_of

TEXT = """{
  "default": {"full": "7d"},
  "rules": [
    {"name": "a, \\"b\\": [", "every": {"full": "1d"}},
    {
      "name": "second",
      "every": {
        "full": "1 week"
      }
    }
  ],
  "limits": []
}"""


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("$.default.full", 2),
        ("$.rules", 3),
        ("$.rules[0].every.full", 4),
        ("$.rules[1].name", 6),
        ("$.rules[1].every.full", 8),
        ("$.rules[1].every.quick", 7),
        ("$.limits", 12),
        ("$.rules[...].every.full", 4),
        ("line 5, column 3", 5),
        ("$", None),
        ("$.absent", None),
        ("byte 0", None),
        ("", None),
    ],
)
def test_the_line_of_a_path(where: str, line: int | None) -> None:
    assert line_of(TEXT, where) == line


@pytest.mark.parametrize(
    "text", ["", "}", "]],,::", '"', '{"a"', "[" * 10_000, "{" * 100 + ":" * 100 + "}" * 200]
)
def test_rubbish_has_no_lines_or_some_and_never_an_error(text: str) -> None:
    line_of(text, "$.a[0].b")
