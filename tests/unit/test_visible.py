"""What nobody sees is shown; all else stays as it is, and both readings, text and UTF-8, agree."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import visible

SHOWN = {
    "\u202egpj.exe": "⟨U+202E⟩gpj.exe",
    "a\u2066b\u2069": "a⟨U+2066⟩b⟨U+2069⟩",
    "a\u200bb": "a⟨U+200B⟩b",
    "\x1b[2Jgone": "⟨U+001B⟩[2Jgone",
    "\x9b2J": "⟨U+009B⟩2J",
    "safe\rfake": "safe⟨U+000D⟩fake",
    "tag \U000e0041": "tag ⟨U+E0041⟩",
}
KEPT = ("two\nlines\tand tab", "ü ß 語 שלום سلام", "👩\u200d🔬", "<b>&amp;</b>", "mi\u200cravam")


@pytest.mark.parametrize(("said", "shown"), SHOWN.items())
def test_what_hides_or_turns_text_is_named(said: str, shown: str) -> None:
    assert visible.text(said) == shown


@pytest.mark.parametrize("said", KEPT)
def test_what_is_read_stays(said: str) -> None:
    assert visible.text(said) == said
    assert visible.html(said.encode()) == said.encode()


@given(st.text())
def test_pages_and_terminals_agree(said: str) -> None:
    said = said.replace("\r", "").replace("\f", "")
    assert visible.html(said.encode()).decode() == visible.text(said)


@given(st.text())
def test_json_says_the_same(said: str) -> None:
    document = visible.json_text(json.dumps([said], ensure_ascii=False, indent=2))
    assert json.loads(document) == [said]
    assert visible.text(document) == document


def test_no_control_and_no_direction_is_left() -> None:
    everything = "".join(map(chr, set(range(sys.maxunicode + 1)) - set(range(0xD800, 0xE000))))
    left = visible.text(everything)
    assert {c for c in left if unicodedata.category(c) == "Cc"} == {"\t", "\n"}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not {c for c in left if unicodedata.bidirectional(c) in turning}
