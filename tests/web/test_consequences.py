"""The page of what a decision changed, and its beginning on the decision's own page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from lineage.db.models import Entry
from lineage.services import consequences
from tests import factories
from tests.integration.projections import send


@pytest.fixture
def revoked(log: None, graph: Callable[[], int]) -> Iterator[tuple[str, str]]:
    """Digests of an attestation, and of the decision that revoked its key, behind thirty things."""
    consequences.forget()
    who = factories.registered(name="stolen <key>")
    for number in range(30):
        made = factories.artifact(f"<b>model {number}</b>")
        last = send(who, factories.provenance([made], [factories.artifact("data")], invocation=f"r{number}"))
    factories.revoke(who, compromised=True)
    decided = graph() - 1
    digests = dict(Entry.objects.values_list("index", "envelope_digest"))
    yield f"sha256:{digests[last]}", f"sha256:{digests[decided]}"
    consequences.forget()


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_decision_says_what_it_changed(auditor: Client, revoked: tuple[str, str]) -> None:
    sent, decided = revoked
    text = text_of(auditor, f"/attestations/{decided}")
    assert "What this decision changed" in text
    assert "61 nodes by status before and after" in text
    assert "stolen &lt;key&gt;" in text
    assert "Only a key that was revoked for that time signed" in text
    assert "&lt;b&gt;model" in text, "by the name that it had until then"
    assert "All that it changed" in text
    assert "<b>model" not in text
    assert "What this decision changed" not in text_of(auditor, f"/attestations/{sent}")


def test_all_of_it_comes_in_pages(auditor: Client, revoked: tuple[str, str]) -> None:
    _, decided = revoked
    url, nodes, seen = f"/attestations/{decided}/consequences", set[str](), 0
    while True:
        text = text_of(auditor, url)
        nodes.update(re.findall(r'href="(/(?:artifacts|runs|keys)/[^"?]+)"', text))
        seen += 1
        onward = re.search(r'href="([^"]*after_node=[^"]*)">More nodes', text)
        if onward is None:
            break
        url = onward[1].replace("&amp;", "&")
    assert seen == 2
    assert len({node for node in nodes if node.startswith("/artifacts")}) == 30
    assert len({node for node in nodes if node.startswith("/runs")}) == 30


def test_what_is_no_cursor_is_refused(auditor: Client, revoked: tuple[str, str]) -> None:
    _, decided = revoked
    assert auditor.get(f"/attestations/{decided}/consequences?after_node=x").status_code == 400
    assert auditor.get(f"/attestations/sha256:{'0' * 64}/consequences").status_code == 404
    assert Client().get(f"/attestations/{decided}/consequences").status_code == 302


def test_while_the_graph_is_behind_it_says_so(auditor: Client) -> None:
    factories.registered()
    newest = Entry.objects.order_by("-index")[0]
    text = text_of(auditor, f"/attestations/sha256:{newest.envelope_digest}/consequences")
    assert "Not known yet" in text
    assert "What this decision changed" not in text_of(
        auditor, f"/attestations/sha256:{newest.envelope_digest}"
    )
