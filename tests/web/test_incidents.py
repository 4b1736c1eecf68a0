"""Incidents on pages: opened from any kind of thing, seen on the first page, closed by officers alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Entry
from lineage.services import as_of, decide_incidents, incidents, lineage
from tests import factories
from tests.web import installation

DATA = f"sha256:{factories.sha256('claims')}"
NASTY = '<img src=x onerror=alert(1)>"'


@pytest.fixture
def known(log: None, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> str:
    """A model made from a dataset by a run on a machine; returns the signer's key id."""
    who = factories.registered()
    machine = factories.artifact("rack 7", factories.sha256("rack 7"))
    installation.send(
        who,
        factories.statement(
            factories.artifact("model.gguf", factories.sha256("model"), annotations={"role": "model"}),
            predicate_type="urn:lineage:predicate:training-run:v1",
            predicate={
                "builder": {"id": factories.BUILDER},
                "invocationId": "run 1",
                "name": "training",
                "activity": "training",
                "inputs": [factories.artifact("claims.csv", factories.sha256("claims"), role="dataset")],
                "hardware": [machine],
            },
        ),
    )
    graph()
    monkeypatch.setattr("lineage.web.artifact_decisions.graph_choice.followed", graph)
    return who.key_id


def node_of(kind: str) -> str:
    return lineage.search(as_of.resolve(None), kind=kind).nodes[0].key


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_it_is_opened_on_every_kind_of_page_and_leads_to_its_own(officer: Client, known: str) -> None:
    pages = [(f"/artifacts/{DATA}", f"/artifacts/{DATA}")]
    pages += [(f"/runs/{node_of('run')}", f"/nodes/{node_of('run')}")]
    pages += [(f"/nodes/{node_of('hardware')}",) * 2, (f"/keys/{known}", f"/nodes/key:{known}")]
    for page, decides in pages:
        shown = officer.get(page).content.decode()
        assert f"{decides}/decide/incident" in shown, page
        asked = officer.get(f"{decides}/decide/incident")
        assert asked.status_code == 200, page
        assert ('name="designates"' in asked.content.decode()) is not page.startswith("/keys"), page
        said = {"title": f"Wrong at {page}", "severity": "high", "reason": "told so"}
        made = officer.post(f"{decides}/decide/incident", said)
        assert made["Location"].startswith("/incidents/sha256:"), page
        found = officer.get(made["Location"])
        assert f"Wrong at {page}" in text_of(found)
    assert "4 incidents are open." in text_of(officer.get("/"))
    assert officer.get(f"/nodes/key:{known}/decide/designate").status_code == 404


def test_machines_are_designated_on_their_page_and_taint_what_ran_there(officer: Client, known: str) -> None:
    machine = node_of("hardware")
    said = {"incident": "", "until": "2099-01-01", "reason": "its firmware was changed"}
    made = officer.post(f"/nodes/{machine}/decide/designate", said, follow=True)
    assert "until 2 Jan 2099" in text_of(made)
    assert lineage.search(as_of.resolve(None), kind="model", tainted=True).total == 1
    assert officer.post(f"/nodes/{machine}/decide/clear", {"reason": "it was not"}).status_code == 302
    assert lineage.search(as_of.resolve(None), tainted=True).total == 0


def test_only_officers_and_operators_close_it(person: Callable[[str], Client], known: str) -> None:
    officer = person("officer")
    said = {"title": NASTY, "severity": "critical", "reason": "told so", "designates": "on"}
    address = officer.post(f"/artifacts/{DATA}/decide/incident", said)["Location"]
    auditor, before = person("auditor"), Entry.objects.count()
    seen = auditor.get(address).content.decode()
    assert "Close the incident" not in seen
    assert "<img src=x" not in seen
    assert auditor.post(f"{address}/close", {"reason": "x"}).status_code == 403
    assert auditor.get(f"/artifacts/{DATA}/decide/incident").status_code == 403
    assert Entry.objects.count() == before
    assert officer.post(f"{address}/close", {"reason": " "}).status_code == 422
    closed = officer.post(f"{address}/close", {"reason": "over", "clears": "on"}, follow=True)
    assert "designation cleared" in text_of(closed)
    assert "Close the incident" not in closed.content.decode()
    assert officer.post(f"{address}/close", {"reason": "again"}).status_code == 422
    assert lineage.search(as_of.resolve(None), tainted=True).total == 0


def test_lists_files_and_earlier_moments(officer: Client, known: str, graph: Callable[[], int]) -> None:
    before = graph()
    receipt = decide_incidents.open_incident(DATA, "=1+1", "low", "told so", person="os:test").receipt
    graph()
    rows = list(csv.reader(io.StringIO(_csv(officer.get("/incidents?format=csv")))))
    assert rows[1][2:5] == ["open", "low", "'=1+1"]
    affected = list(csv.reader(io.StringIO(_csv(officer.get(f"/incidents/{receipt.digest}?format=csv")))))
    assert [row[1] for row in affected[1:]] == ["model.gguf"]
    assert "None is open" in text_of(officer.get(f"/incidents?as_of={before}"))
    assert officer.get(f"/incidents/{receipt.digest}?as_of={before}").status_code == 404
    assert "=1+1" in text_of(officer.get("/incidents?state=open"))
    assert "=1+1" not in text_of(officer.get("/incidents?state=closed"))
    assert officer.get("/incidents?after=x").status_code == 400
    assert incidents.listed(as_of.resolve(None)).open == 1


def _csv(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()
