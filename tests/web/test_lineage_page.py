"""What a lineage page shows, asked as a browser asks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from lineage.graph.lane_boxes import VERIFIED_RANK, rank
from lineage.graph.lanes import MAX_BOXES, LaneNode
from lineage.web import closure_view
from tests import factories
from tests.web import installation, large_graph
from tests.web.conftest import PASSWORD
from tests.web.installation import CLAIMS, TRIAGE, Installation
from tests.web.large_graph import LargeGraph

MODEL = f"sha256:{TRIAGE}"
DATASET = f"sha256:{CLAIMS}"


@pytest.fixture
def large(transactional_db: None) -> LargeGraph:
    return large_graph.save(2_000)


@pytest.fixture
def medium(transactional_db: None) -> LargeGraph:
    """For tests that read page after page."""
    return large_graph.save(400)


@pytest.fixture
def reader(transactional_db: None) -> Client:
    """Somebody who is signed in, without a log."""
    client = Client()
    client.force_login(
        factories.user("auditor", PASSWORD), "allauth.account.auth_backends.AuthenticationBackend"
    )
    return client


class Page(HTMLParser):
    """A page's boxes, each as its attributes, by node key or `<lane>/<kind>`; and tags that carry a style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.boxes: dict[str, dict[str, str]] = {}
        self.styled: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "style" in found:
            self.styled.append(tag)
        if found.get("class") == "box":
            self.boxes[found["id"].removeprefix("box-")] = found


def address(key: str, **query: object) -> str:
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    return f"/models/{key}/lineage" + (f"?{asked}" if asked else "")


def picture_of(html: str) -> str:
    match = re.search(r'<svg class="lanes".*?</svg></div>', html, re.DOTALL)
    assert match, "no picture"
    return match[0]


def listed(html: str) -> list[str]:
    """Keys of the list's rows, in order."""
    table = html[html.index('id="list"') :]
    return re.findall(r'<tr class="barred".*?<code title="([^"]+)"', table, re.DOTALL)


def steps_of(html: str) -> list[str]:
    """Keys along the path in the detail column, from the root on."""
    told = html.partition('<ol class="steps">')[2].partition("</ol>")[0]
    return re.findall(r'href="/[a-z]+/([a-z0-9]+:[0-9a-f]+)"', told)


def is_exception(node: LaneNode) -> bool:
    return node.status != "verified"


def test_the_picture_stays_small_and_the_node_asked_for_is_a_box_of_its_own(
    reader: Client, large: LargeGraph
) -> None:
    html = reader.get(address(large.root)).content.decode()
    page = Page(html)
    assert 40 < len(page.boxes) <= MAX_BOXES
    assert page.boxes[large.root]["aria-current"] == "true"
    assert len(re.findall(r"<[a-zA-Z]", picture_of(html))) <= 1_400
    assert page.styled == []


def test_heading_and_chips_count_the_whole_closure(reader: Client, large: LargeGraph) -> None:
    html = reader.get(address(large.root)).content.decode()
    assert len(large.ancestors) > 1_500
    assert f"Made from {len(large.ancestors)} nodes" in html
    assert f"on {sum(key.startswith('hw:') for key in large.beside)} machines" in html
    for status in ("failed", "expired", "unverified", "verified"):
        count = sum(large.nodes[key].status == status for key in large.shown)
        assert re.search(rf'data-status="{status}">.*?</svg>{count} {status}', html)


def test_every_box_is_a_link_that_says_what_it_is(reader: Client, large: LargeGraph) -> None:
    page = Page(reader.get(address(large.root)).content.decode())
    for key, box in page.boxes.items():
        assert box["href"].startswith("/models/")
        node = large.nodes.get(key)
        if node is None:
            assert re.match(r"\d+ (more exceptions|verified) in ", box["aria-label"])
        else:
            assert box["aria-label"].startswith(f"{node.name}, ")
            assert f", {node.status}" in box["aria-label"]


def test_a_gathered_box_opens_its_lane_and_then_the_list_of_just_those_nodes(
    reader: Client, medium: LargeGraph
) -> None:
    page = Page(reader.get(address(medium.root)).content.decode())
    gathered = {key: box for key, box in page.boxes.items() if key not in medium.nodes}
    assert any(key.endswith("/exceptions") for key in gathered)
    for lane in {key.partition("/")[0] for key in gathered}:
        box = next(box for key, box in gathered.items() if key.startswith(lane))
        assert "hx-boost" not in box
        opened = Page(reader.get(box["href"]).content.decode())
        assert len(opened.boxes) > len(page.boxes)
        _assert_the_list_has_them(reader, medium, opened, lane)


def _assert_the_list_has_them(reader: Client, medium: LargeGraph, page: Page, lane: str) -> None:
    gathered = {key: box for key, box in page.boxes.items() if key.startswith(f"{lane}/")}
    for key, box in gathered.items():
        assert box["hx-boost"] == "false"
        html = reader.get(box["href"].removesuffix("#list")).content.decode()
        nodes = [medium.nodes[k] for k in listed(html)]
        assert nodes
        wanted = key.endswith("/exceptions")
        assert {is_exception(node) for node in nodes} == {wanted}


def test_the_list_has_every_node_once_exceptions_first(reader: Client, medium: LargeGraph) -> None:
    keys: list[str] = []
    url = address(medium.root)
    while url:
        html = reader.get(url).content.decode()
        keys += listed(html)
        more = re.search(r'href="([^"]+)" rel="next"', html)
        url = more[1].replace("&amp;", "&") if more else ""
    assert sorted(keys) == sorted(medium.shown)
    ranks = [rank(LaneNode(k, "", "", medium.nodes[k].status)) for k in keys]
    assert ranks == sorted(ranks)
    assert min(ranks) < VERIFIED_RANK


def test_the_file_has_every_node(reader: Client, large: LargeGraph) -> None:
    answer: Any = reader.get(address(large.root, format="csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert sorted(row["key"] for row in rows) == sorted(large.shown)
    assert {row["key"]: row["status"] for row in rows} == {k: large.nodes[k].status for k in large.shown}


def test_the_file_of_a_filtered_list_has_what_the_list_shows(reader: Client, large: LargeGraph) -> None:
    answer: Any = reader.get(address(large.root, lane="models", show="exceptions", format="csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    wanted = {k for k in large.shown if large.nodes[k].roles == ("model",) and is_exception(large.nodes[k])}
    assert {row["key"] for row in rows} == wanted
    ranks = [rank(LaneNode(row["key"], "", "", row["status"])) for row in rows]
    assert ranks == sorted(ranks)


def test_a_highlighted_path_exists_in_the_graph_step_by_step(reader: Client, large: LargeGraph) -> None:
    joined = {(a, b) for a, _, b in large.links} | {(b, a) for a, _, b in large.links}
    far = sorted(key for key in large.shown if large.nodes[key].name.startswith("source"))[:8]
    for focus in far:
        html = reader.get(address(large.root, focus=focus)).content.decode()
        marked = {key for key, box in Page(html).boxes.items() if box.get("data-mark") == "on"}
        steps = steps_of(html)
        assert steps[0] == large.root
        assert steps[-1] == focus
        assert all(pair in joined for pair in pairwise(steps))
        assert marked == set(steps)


def test_focus_answers_htmx_with_picture_and_details_alone(reader: Client, large: LargeGraph) -> None:
    focus = min(large.shown)
    part = reader.get(address(large.root, focus=focus), headers={"HX-Request": "true"})
    assert part.content.decode().lstrip().startswith('<div class="columns" id="workspace"')
    assert "HX-Request" in part["Vary"]
    back = reader.get(
        address(large.root, focus=focus),
        headers={"HX-Request": "true", "HX-History-Restore-Request": "true"},
    )
    assert "<!doctype html>" in back.content.decode()


def test_a_chosen_box_is_answered_with_its_details_which_ask_for_the_picture(
    reader: Client, large: LargeGraph
) -> None:
    focus = next(iter(sorted(large.ancestors)))
    url = address(large.root, focus=focus)
    headers = {"HX-Request": "true", "HX-Target": "details"}
    answer = reader.get(url, headers=headers)
    first, whole = answer.content.decode(), reader.get(url).content.decode()
    assert answer["HX-Push-Url"] == url.replace(":", "%3A").replace("/models/sha256%3A", "/models/sha256:")
    assert {"HX-Request", "HX-Target"} <= set(answer["Vary"].split(", "))
    shown, asks = first.split("<div hidden ", 1)
    aside = re.search(r'<aside class="card detail" id="details"[^>]*>(.*?)</aside>', whole, re.DOTALL)
    assert aside
    assert shown.strip() == aside[1].strip(), "the same as in the whole page"
    follows = re.search(r'hx-get="([^"]+)"', asks)
    assert follows
    drawn = reader.get(follows[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).content.decode()
    assert picture_of(drawn) == picture_of(whole)

    restored = reader.get(url, headers={**headers, "HX-History-Restore-Request": "true"}).content.decode()
    other = reader.get(url, headers={**headers, "HX-Target": "workspace"}).content.decode()
    assert "<html" in restored
    assert other.lstrip().startswith('<div class="columns" id="workspace"')


def test_details_of_what_is_not_known_are_not_found(auditor: Client, installed: Installation) -> None:
    key = "sha256:" + "0" * 64
    headers = {"HX-Request": "true", "HX-Target": "details"}
    assert auditor.get(address(MODEL, focus=key), headers=headers).status_code == 404


def test_a_closure_too_big_to_draw_is_counted_and_listed(
    reader: Client, large: LargeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closure_view, "MAX_DRAWN", 500)
    seen: list[str] = []
    url = address(large.root)
    while url and len(seen) < 200:
        html = reader.get(url).content.decode()
        assert 'class="lanes"' not in html
        assert f"Too many nodes to draw: {len(large.shown)}" in html
        seen += listed(html)
        more = re.search(r'href="([^"]+)" rel="next"', html)
        url = more[1].replace("&amp;", "&") if more else ""
    assert len(set(seen)) == len(seen) >= 200
    assert set(seen) <= large.shown
    answer: Any = reader.get(address(large.root, format="csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert {row["key"] for row in rows} == large.shown
    wall = reader.get(f"/models/{large.root}/lineage/all").content.decode()
    assert "Too many nodes for a wall" in wall


def test_the_wall_has_a_link_with_a_title_for_every_node(reader: Client, large: LargeGraph) -> None:
    html = reader.get(f"/models/{large.root}/lineage/all").content.decode()
    squares = re.findall(r'<a href="/nodes/([^"]+)" data-status="([a-z]+)" title="([^"]+)"></a>', html)
    assert sorted(key for key, _, _ in squares) == sorted({large.root, *large.shown})
    for key, status, title in squares:
        assert status == large.nodes[key].status
        assert title.startswith(f"{large.nodes[key].name}: {status}")


def test_depth_limits_what_is_shown(reader: Client, large: LargeGraph) -> None:
    direct = {b for a, kind, b in large.links if a == large.root and kind.startswith("WAS_")}
    html = reader.get(address(large.root, depth=1)).content.decode()
    assert f"Made from {len(direct)} nodes" in html


def test_both_directions_of_a_real_installation(auditor: Client, installed: Installation) -> None:
    made_from = auditor.get(address(MODEL)).content.decode()
    assert DATASET in Page(made_from).boxes
    made_into = auditor.get(address(DATASET, direction="descendants")).content.decode()
    boxes = Page(made_into).boxes
    assert MODEL in boxes
    assert any(key.startswith("deploy:") for key in boxes)


def test_a_box_shows_the_last_part_of_a_path_first(auditor: Client, graph: Callable[[], int]) -> None:
    pipeline = factories.registered()
    data, model = factories.artifact("screening/raw/patients.csv"), factories.artifact("screening/model.json")
    installation.send(pipeline, factories.provenance([model], [data]))
    graph()
    html = picture_of(auditor.get(address(f"sha256:{model['digest']['sha256']}")).content.decode())
    assert "<span>patient</span><b>s.csv</b><i>screening/raw</i>" in html
    assert "<span>model.json</span><i>screening</i>" in html
    assert 'title="screening/model.json, ' in html


def test_taint_and_status_of_its_own_are_both_shown(auditor: Client, graph: Callable[[], int]) -> None:
    leaked, honest = factories.registered(), factories.registered()
    data, model = factories.artifact(), factories.artifact()
    installation.send(
        leaked, factories.statement(data, predicate_type=installation.DATASET, predicate={"name": "d"})
    )
    installation.send(honest, factories.provenance([model], [data]))
    factories.revoke(leaked, compromised=True)
    graph()
    answer = auditor.get(address(f"sha256:{model['digest']['sha256']}"))
    boxes = Page(answer.content.decode()).boxes
    assert boxes[f"sha256:{data['digest']['sha256']}"]["aria-label"].endswith(", unverified, tainted")
    assert re.search(r"\d tainted</a>", answer.content.decode())


def test_an_evaluation_lies_beside_what_it_judged(auditor: Client, graph: Callable[[], int]) -> None:
    who, model, report = factories.registered(), factories.artifact(), factories.artifact()
    predicate = {
        "builder": {"id": factories.BUILDER},
        "name": "evaluation 12",
        "activity": "evaluation",
        "inputs": [{**model, "role": "model"}],
    }
    statement = factories.statement(report, predicate_type=installation.TRAINING, predicate=predicate)
    installation.send(who, statement)
    graph()
    html = auditor.get(address(f"sha256:{report['digest']['sha256']}")).content.decode()
    lane = html.partition('aria-label="Evaluations, other: 2')[2].partition("</g>")[0]
    assert "evaluation 12" in lane


def test_a_moment_before_a_node_was_known_has_no_page(auditor: Client, installed: Installation) -> None:
    assert auditor.get(address(MODEL, as_of=2)).status_code == 404
    html = auditor.get(address(MODEL, as_of=8)).content.decode()
    assert all("as_of=8" in box["href"] for box in Page(html).boxes.values())


def test_nothing_known_is_said_and_what_would_fill_it(auditor: Client, installed: Installation) -> None:
    html = auditor.get(address(DATASET)).content.decode()
    assert "Nothing is known of what it was made from" in html
    assert "lineage attest" in html


@pytest.mark.parametrize(
    "query",
    [{"direction": "sideways"}, {"depth": 0}, {"depth": "two"}, {"lane": "fast"}, {"show": "all"}],
)
def test_a_question_that_makes_no_sense_is_told_so(
    auditor: Client, installed: Installation, query: dict[str, object]
) -> None:
    assert auditor.get(address(MODEL, **query)).status_code == 400


def test_an_unknown_node_or_focus_is_not_found(auditor: Client, installed: Installation) -> None:
    nobody = f"sha256:{'0' * 64}"
    assert auditor.get(address(nobody)).status_code == 404
    assert auditor.get(address(MODEL, focus=nobody)).status_code == 404


def test_strangers_are_sent_to_sign_in(client: Client, person: Callable[[str], Client]) -> None:
    for url in (address(MODEL), f"/models/{MODEL}/lineage/all"):
        assert client.get(url)["Location"].startswith("/accounts/login/")
