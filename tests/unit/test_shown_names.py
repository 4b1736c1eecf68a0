"""How pages shorten and break the names that signers gave: nothing in them becomes markup."""

from __future__ import annotations

import pytest

from lineage.web.templatetags.lineage_ui import breakable, last_part


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("screening/raw/model.json", "screening/<wbr>raw/<wbr>model.json"),
        ("model.json", "model.json"),
        ("", ""),
        ("<b>/&", "&lt;b&gt;/<wbr>&amp;"),
    ],
)
def test_a_name_goes_on_in_the_next_line_after_a_slash(name: str, shown: str) -> None:
    assert breakable(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("screening/model.json", "model.json"), ("plain", "plain"), ("folder/", "folder/"), ("", "")],
)
def test_the_last_part_of_a_path_stands_for_it(name: str, shown: str) -> None:
    assert last_part(name) == shown
