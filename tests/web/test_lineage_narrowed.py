"""A lineage page asked for a part: filters, one path alone, another moment, another order, a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from xml.etree import ElementTree

import pytest
from django.test import Client

from lineage.graph.model import EdgeType, NodeKind
from lineage.web import picture_file
from tests import factories
from tests.graph_rows import GraphRows
from tests.web import installation
from tests.web.conftest import PASSWORD
from tests.web.installation import Installation
from tests.web.test_lineage_page import DATASET, MODEL, Page, address, listed

ROOT, KEY, OTHER = f"sha256:{'a0' * 32}", "key:" + "11" * 32, "key:" + "22" * 32
MACHINE, SITE, COUNTRY = f"hw:{'b0' * 32}", f"place:{'c0' * 32}", f"place:{'c1' * 32}"


def node(number: int) -> str:
    return f"sha256:{number:064x}"


def run(number: int) -> str:
    return f"run:{number:064x}"


@pytest.fixture
def made(transactional_db: None) -> GraphRows:
    """Three runs into one model; each used a dataset. Entry n brings run n; entry 9 fails a dataset.

    The first dataset lies at a site in a country, and the second run ran on a machine there.
    """
    rows = GraphRows(KEY)
    rows.node(OTHER, NodeKind.SIGNER, 0)
    rows.node(SITE, NodeKind.PLACE, 1)
    rows.node(COUNTRY, NodeKind.PLACE, 1)
    rows.edge(SITE, EdgeType.AT_LOCATION, COUNTRY, 1)
    rows.node(ROOT, NodeKind.ARTIFACT, 1)
    rows.claim(ROOT, "role", "model", 1)
    rows.status(ROOT, "verified", index=1)
    for number in (1, 2, 3):
        _add(rows, number, OTHER if number == 2 else KEY)
    rows.edge(node(1), EdgeType.AT_LOCATION, SITE, 1)
    rows.node(MACHINE, NodeKind.HARDWARE, 2)
    rows.status(MACHINE, "unverified", "no-evidence", index=2)
    rows.edge(run(2), EdgeType.WAS_ASSOCIATED_WITH, MACHINE, 2)
    rows.edge(MACHINE, EdgeType.AT_LOCATION, SITE, 2)
    rows.status(node(3), "verified", index=3, to=9)
    rows.status(node(3), "failed", "copy-mismatch", index=9)
    rows.node("sha256:" + "ee" * 32, NodeKind.ARTIFACT, 11)
    rows.save()
    return rows


def _add(rows: GraphRows, number: int, signer: str) -> None:
    rows.node(node(number), NodeKind.ARTIFACT, number)
    rows.node(run(number), NodeKind.RUN, number)
    rows.claim(node(number), "name", f"data {9 - number}.csv", number)
    rows.claim(node(number), "role", "dataset", number)
    rows.claim(run(number), "activity", "training", number)
    for key in (node(number), run(number)):
        rows.claim(key, "attested", "test", number, signer=signer)
    rows.status(run(number), "verified", index=number)
    if number < 3:
        rows.status(node(number), "verified", index=number)
    rows.edge(ROOT, EdgeType.WAS_GENERATED_BY, run(number), number)
    rows.edge(run(number), EdgeType.USED, node(number), number)


@pytest.fixture
def reader(transactional_db: None) -> Client:
    client = Client()
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    client.force_login(factories.user("auditor", PASSWORD), backend)
    return client


def keys(client: Client, **query: object) -> set[str]:
    """What the list has, which is what the picture has beside the root."""
    html = client.get(address(ROOT, **query)).content.decode()
    found = set(listed(html))
    assert {key for key in Page(html).boxes if "/" not in key} - {ROOT} == found
    return found


def test_filters_are_for_picture_and_list_and_work_together(reader: Client, made: GraphRows) -> None:
    assert len(keys(reader)) == 7
    assert keys(reader, kind="run") == {run(1), run(2), run(3)}
    assert keys(reader, role="dataset") == {node(1), node(2), node(3)}
    assert keys(reader, status="failed") == {node(3)}
    assert keys(reader, status="exceptions") == {node(3), MACHINE}
    assert keys(reader, tainted="yes") == set()
    assert keys(reader, signer=OTHER) == {node(2), run(2)}
    assert keys(reader, signer=OTHER, kind="run") == {run(2)}
    assert keys(reader, signer="key:" + "33" * 32) == set()


@pytest.mark.parametrize("place", [SITE, COUNTRY], ids=["site", "country"])
def test_what_lies_at_a_place_and_what_ran_there(reader: Client, made: GraphRows, place: str) -> None:
    assert keys(reader, place=place) == {node(1), MACHINE, run(2)}


def test_the_form_says_what_there_is_and_what_is_chosen(reader: Client, made: GraphRows) -> None:
    html = reader.get(address(ROOT, status="failed")).content.decode()
    assert '<option value="failed" selected>Failed (1)</option>' in html
    assert '<option value="run">Run (3)</option>' in html
    assert f'<option value="{OTHER}">' in html
    assert "Filtered: 6 nodes are left out" in html


def test_the_paths_alone_are_those_of_the_node_graph(reader: Client, made: GraphRows) -> None:
    assert keys(reader, focus=node(2), isolate="yes") == {run(2), node(2)}
    html = reader.get(address(ROOT, focus=node(2), isolate="yes")).content.decode()
    assert "Only what lies on the one way" in html
    assert "5 other nodes left out" in html


def test_a_list_is_sorted_both_ways(reader: Client, made: GraphRows) -> None:
    names = [
        reader.get(address(ROOT, role="dataset", sort=sort)).content.decode() for sort in ("name", "-name")
    ]
    assert listed(names[0]) == [node(3), node(2), node(1)]
    assert listed(names[1]) == [node(1), node(2), node(3)]
    assert 'aria-sort="ascending"' in names[0]
    assert 'aria-sort="descending"' in names[1]


def test_steps_lead_from_change_to_change_and_stop_at_the_ends(reader: Client, made: GraphRows) -> None:
    def step(which: str, as_of: str = "") -> str:
        answer = reader.get(address(ROOT, step=which, **({"as_of": as_of} if as_of else {})))
        assert answer.status_code == 302
        return (
            answer.headers["Location"].rpartition("as_of=")[2]
            if "as_of" in answer.headers["Location"]
            else ""
        )

    assert [step("previous"), step("previous", "9"), step("previous", "3")] == ["9", "3", "2"]
    assert [step("next", "2"), step("next", "3"), step("next", "4")] == ["3", "4", "10"]
    assert step("next", "10") == "10", "no later entry changed anything here: it stays"
    assert step("previous", "2") == "2"


def test_what_is_no_filter_is_refused(reader: Client, made: GraphRows) -> None:
    for wrong in (
        {"kind": "cat"},
        {"tainted": "1"},
        {"way": 0},
        {"isolate": "no"},
        {"open": "x"},
        {"sort": "-"},
    ):
        assert reader.get(address(ROOT, **wrong)).status_code == 400
    assert reader.get(address(ROOT, step="up")).status_code == 400


def test_the_file_is_safe_and_complete_in_itself(auditor: Client, graph: Callable[[], int]) -> None:
    pipeline = factories.registered()
    hostile = '</text><script>alert(1)</script>"\x07\u202e.csv'
    data, model = factories.artifact(hostile, factories.sha256("x")), factories.artifact("m.json")
    installation.send(pipeline, factories.provenance([model], [data]))
    graph()
    answer = auditor.get(address(f"sha256:{model['digest']['sha256']}", format="svg"))
    text = answer.content.decode()
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "attachment" in answer.headers["Content-Disposition"]
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
    assert names == {"svg", "title", "rect", "text", "g", "path"}
    assert not re.search(r"\son\w+=|href|style=|url\(", text)
    assert "⟨U+0007⟩" in text
    assert "⟨U+202E⟩" in text
    for told in ("Lineage of m.json", "tree size", "graph at", "verified", "Made from 2 nodes"):
        assert told in text


def test_the_file_of_a_filtered_page_says_so(auditor: Client, installed: Installation) -> None:
    text = unescape(auditor.get(address(MODEL, format="svg", kind="run")).content.decode())
    assert "Kind: Run: 1 of them drawn" in text
    assert "claims-2025" not in text
    alone = auditor.get(address(MODEL, format="svg", focus=DATASET, isolate="yes")).content.decode()
    assert "only what lies between it and claims-2025.parquet" in alone


def test_the_file_has_the_pages_colours() -> None:
    from pathlib import Path

    tokens = (Path(picture_file.__file__).parent / "static/lineage/css/tokens.css").read_text()
    light = tokens.partition("prefers-color-scheme")[0]
    for slug, colour in picture_file.COLOURS.items():
        assert f"--{slug}: {colour};" in light
