"""The page of what changed between two moments."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Envelope
from lineage.services import decision_words
from tests import factories
from tests.integration.projections import send
from tests.integration.test_publish import lifted


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


def test_a_decision_says_what_was_decided(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?from={size - 1}&to={size}")
    shown = text.partition('id="policy"')[2].partition("</section>")[0]
    assert re.search(r'<th scope="row"><a href="/attestations/[^"]*">Revoke( key)?</a></th>', shown)
    for said in ("Revoked key: ", "Compromised: <bdi>yes</bdi>", "Person: "):
        assert said in shown
    assert ">Decision<" not in shown
    kept = Envelope.objects.filter(pk=size - 1)
    digest = f"sha256:{kept.get().entry.envelope_digest}"
    assert decision_words.told([digest]).keys() == {digest}
    with lifted("log_envelope"):
        kept.update(content=bytes(kept.get().content) + b" ")
    assert decision_words.told([digest, f"sha256:{'0' * 64}"]) == {}, "other bytes say nothing"


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
    text = text_of(auditor, f"/changes?from=1&as_of={size - 2}")
    assert f"{size - 2} entries</a> · what was believed" in text


def test_what_is_new_what_changed_and_what_was_decided_stand_apart(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?from=2&to={size}")
    sections = dict(
        zip(("turned", "new", "policy", "entries"), re.split(r'<h2 id="\w+">', text)[1:], strict=True)
    )
    assert sections["turned"].startswith("Status changed · 1"), "the key that was revoked"
    assert sections["new"].startswith("Added · ")
    assert sections["policy"].startswith("Policy changed · ")
    assert len(re.findall('<tr class="barred"', sections["new"])) == 25
    onward = re.search(r'href="([^"]*after_new=[^"]*)">More new nodes', sections["new"])
    assert onward is not None
    assert "From the beginning" in text_of(auditor, onward[1].replace("&amp;", "&"))


def test_decisions_come_in_pages_within_the_moments(auditor: Client, size: int) -> None:
    from lineage.services import changes

    earlier, later = changes.resolve("1", str(size))
    all_of_them, onward = changes.decisions(earlier, later, limit=50)
    assert onward is None
    assert [entry.kind for entry in all_of_them] == ["decision"] * len(all_of_them)
    first, onward = changes.decisions(earlier, later, limit=1)
    assert [*first, *changes.decisions(earlier, later, after=onward or "", limit=50)[0]] == list(all_of_them)
    assert changes.decisions(changes.resolve(str(size), str(size))[0], later)[0] == []


def test_as_a_file_it_has_every_node_once(auditor: Client, size: int) -> None:
    def lines(query: str) -> list[list[str]]:
        answer: Any = auditor.get(f"/changes?{query}&format=csv")
        return list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))[1:]

    turned = lines(f"from={size - 1}&to={size}")
    assert len(turned) == len({line[1] for line in turned}) == 121
    assert {line[0] for line in turned} == {"status changed"}
    new = lines(f"from=2&to={size}")
    assert [line[0] for line in new if line[2] == "signer"] == ["status changed"]
    assert {line[0] for line in new if line[2] != "signer"} == {"added"}
    assert len(new) == len({line[1] for line in new}) == 121


def test_presets_keep_the_later_moment(auditor: Client, size: int) -> None:
    text = text_of(auditor, f"/changes?to={size - 1}")
    for title in ("Since yesterday", "Last 7 days", "Last 30 days"):
        (url,) = re.findall(rf'href="([^"]+)">{title}', text)
        assert f"to={size - 1}" in url
        assert 'aria-current="true">' + title in text_of(auditor, url.replace("&amp;", "&"))
    assert "Since the last audit" not in text, "the log was never read again here"


def test_what_is_no_moment_is_refused(auditor: Client, size: int) -> None:
    for query in ("from=x", "to=x", f"from={size}&to=1", "after=x", "after_entry=x"):
        assert auditor.get(f"/changes?{query}").status_code == 400, query
    assert Client().get("/changes").status_code == 302
