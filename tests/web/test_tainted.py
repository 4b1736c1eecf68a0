"""The page of what is tainted, and the ways to it."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

from django.test import Client

from lineage.services import decide_incidents
from tests import factories
from tests.factories import artifact, provenance
from tests.integration.projections import key_of, send
from tests.web.test_impact import text_of

MANY = 60


def test_from_an_incident_to_all_that_it_taints(auditor: Client, graph: Callable[[], int]) -> None:
    who = factories.registered()
    send(who, provenance([artifact(f"<b>{each}") for each in range(MANY)], [artifact("=data")]))
    graph()
    assert "Nothing is tainted" in text_of(auditor.get("/tainted"))
    opened = decide_incidents.open_incident(
        key_of("=data"), "=Poisoned", "high", "told so", person="os:test", designates=True
    )
    graph()
    page = auditor.get(f"/incidents/{opened.receipt.digest}").content.decode()
    (url,) = re.findall(r'href="([^"]+)">What it taints', page)
    body = auditor.get(html.unescape(url)).content.decode()
    assert "<b>1" not in body
    assert "What =data taints" in body
    assert f"Tainted {MANY + 2} ({MANY + 1} artifacts, 1 run)" in text_of(auditor.get(html.unescape(url)))
    seen = re.findall(r'<th scope="row" class="name"><a href="([^"]+)"', body)
    (onward,) = re.findall(r'href="([^"]+)" rel="next"', body)
    seen += re.findall(
        r'<th scope="row" class="name"><a href="([^"]+)"', auditor.get(html.unescape(onward)).content.decode()
    )
    assert len(set(seen)) == MANY + 2
    answer: Any = auditor.get("/tainted", {"incident": opened.receipt.digest, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == MANY + 2
    assert (rows[0]["name"], rows[0]["steps"], rows[0]["reason"]) == ("'=data", "0", "designated")
    first_page = auditor.get("/").content.decode()
    assert f'<a href="/tainted">{MANY + 2}</a>' in first_page


def test_its_filters(auditor: Client, graph: Callable[[], int]) -> None:
    assert "like that at this moment" in text_of(auditor.get("/tainted", {"reason": "bad-copy"}))
    for query, status in (
        ({"reason": "bad luck"}, 400),
        ({"kind": "rubbish"}, 400),
        ({"after": "x"}, 400),
        ({"source": "sha256:" + "0" * 64}, 404),
        ({"incident": "sha256:" + "0" * 64}, 404),
        ({"incident": "x" * 201}, 400),
    ):
        assert (query, auditor.get("/tainted", query).status_code) == (query, status)
