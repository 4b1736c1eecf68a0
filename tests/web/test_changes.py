"""The page of what changed between two moments."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests import factories
from tests.integration.projections import send


@pytest.fixture
def size(graph: Callable[[], int]) -> int:
    """Entries of a log in which a key is revoked at last, behind sixty models with a name like a tag."""
    who = factories.registered(name="stolen <key>")
    for number in range(60):
        made = factories.artifact(f"<b>model {number}</b>")
        send(who, factories.provenance([made], [], invocation=f"r{number}"))
    factories.revoke(who, compromised=True)
    return graph()


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_what_a_revocation_changed(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?from={size - 1}&to={size}")
    assert "<dt>Entries that came</dt><dd>1: 1 decision</dd>" in text
    assert "<dt>Nodes that are new</dt><dd>0</dd>" in text
    assert "<dt>Nodes that stand otherwise</dt><dd>121</dd>" in text
    assert "&lt;b&gt;model" in text
    assert "<b>model" not in text
    assert 'aria-current="page">Changes' in text


def test_what_is_new_is_called_so(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?from=2&to={size - 1}")
    assert '<span class="note">new</span>' in text
    assert f"<dt>Entries that came</dt><dd>{size - 3}: {size - 3} attestations</dd>" in text


def test_both_lists_come_in_pages(auditor: Client, size: int) -> None:
    url, rows = f"/changes?from={size - 1}&to={size}", 0
    while True:
        text = text_of(auditor, url)
        rows += len(re.findall('<tr class="barred"', text))
        onward = re.search(r'href="([^"]*)">More nodes', text)
        if onward is None:
            break
        url = onward[1].replace("&amp;", "&")
    assert rows == 121
    text = text_of(auditor, f"/changes?from=0&to={size}")
    onward = re.search(r'href="([^"]*after_entry=[^"]*)">More entries', text)
    assert onward is not None
    assert "From the newest" in text_of(auditor, onward[1].replace("&amp;", "&"))


def test_nothing_changed_is_said(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?from={size}&to={size}")
    assert "Nothing stands otherwise" in text
    assert "No entry came" in text


def test_the_page_s_own_moment_is_the_later_one(auditor: Client, size: int) -> None:
    assert "→" in text_of(auditor, f"/changes?from=1&as_of={size - 2}")
    assert f"{size - 2} entries · what was believed" in text_of(auditor, f"/changes?from=1&as_of={size - 2}")


def test_what_is_no_moment_is_refused(auditor: Client, size: int) -> None:
    for query in ("from=x", "to=x", f"from={size}&to=1", "after=x", "after_entry=x"):
        assert auditor.get(f"/changes?{query}").status_code == 400, query
    assert Client().get("/changes").status_code == 302
