"""The pages that compare what things were made from: where they differ, what they have in common."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.services import decide_taint
from tests import factories
from tests.factories import Signer, artifact, provenance
from tests.integration.projections import key_of, send
from tests.web.test_impact import text_of

SHARED = 30


@pytest.fixture
def family(graph: Callable[[], int]) -> Signer:
    """Base comes from 30 datasets; left and right from base, right from a dataset of its own too."""
    who = factories.registered(name="pipeline")
    data = [artifact(f"data {number}") for number in range(SHARED)]
    inputs = {"=base": data, "left": [artifact("=base")], "<i>right": [artifact("=base"), artifact("extra")]}
    for name, made_from in inputs.items():
        made = artifact(name, annotations={"role": "model"})
        send(who, provenance([made], made_from, invocation=f"run of {name}"))
    send(who, provenance([artifact("alone", annotations={"role": "model"})], invocation="run of alone"))
    graph()
    return who


LEFT, RIGHT, BASE, ALONE = (key_of(name) for name in ("left", "<i>right", "=base", "alone"))


def csv_of(answer: Any) -> list[dict[str, str]]:
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_where_two_models_differ(auditor: Client, family: Signer) -> None:
    answer = auditor.get(f"/compare/{LEFT}", {"with": RIGHT})
    text = text_of(answer)
    assert "Where left and <i>right differ" in text
    assert "<i>right" not in answer.content.decode()
    assert "Only in left · 1 " in text
    assert "Only in <i>right · 2 " in text
    assert f"In both · {SHARED + 2} " in text
    (way,) = re.findall(r'href="([^"]+)">The other way round', answer.content.decode())
    turned = text_of(auditor.get(html.unescape(way)))
    assert "Only in <i>right · 2 " in turned
    assert "Where <i>right and left differ" in turned


def test_each_part_is_gone_through_in_pages(auditor: Client, family: Signer) -> None:
    body = auditor.get(f"/compare/{LEFT}", {"with": RIGHT}).content.decode()
    (url,) = re.findall(rf'href="([^"]+)">All {SHARED + 2}<', body)
    seen = list[str]()
    while url:
        body = auditor.get(html.unescape(url)).content.decode()
        assert "Only in left · 1" not in body
        seen += re.findall(r'<th scope="row" class="name"><a href="([^"]+)"', body)[2:]
        url = next(iter(re.findall(r'href="([^"]+)" rel="next"', body)), "")
    assert len(seen) == len(set(seen)) == SHARED + 2


def test_a_difference_as_a_file_is_whole(auditor: Client, family: Signer) -> None:
    rows = csv_of(auditor.get(f"/compare/{LEFT}", {"with": RIGHT, "format": "csv"}))
    assert [sum(row["in"] == part for row in rows) for part in ("from", "to", "both")] == [1, 2, SHARED + 2]
    (base,) = (row for row in rows if row["key"] == BASE)
    assert (base["name"], base["status"], base["status before"]) == ("'=base", "verified", "verified")


def test_one_model_at_two_moments(auditor: Client, family: Signer, graph: Callable[[], int]) -> None:
    size = graph()
    send(family, provenance([artifact("left")], [artifact("late")], invocation="run of left"))
    decide_taint.designate(key_of("data 7"), reason="poisoned", person="os:test")
    graph()
    answer = auditor.get(f"/compare/{LEFT}", {"from_as_of": str(size)})
    text = text_of(answer)
    assert "left: what is different since then" in text
    assert "Only then · 0" in text
    assert "New since then · 1 " in text
    assert "Then and later 33 (31 artifacts, 2 runs), 4 of them stand otherwise than then" in text
    first = re.findall(r"<tbody>.*?</tbody>", answer.content.decode(), re.DOTALL)[-1]
    assert "data 7" in first.partition("the same")[0]
    rows = csv_of(auditor.get(f"/compare/{LEFT}", {"from_as_of": str(size), "format": "csv"}))
    (row,) = (row for row in rows if row["key"] == key_of("data 7"))
    assert (row["tainted before"], row["tainted"]) == ("no", "yes")
    past = text_of(auditor.get(f"/compare/{LEFT}", {"from_as_of": str(size), "as_of": str(size)}))
    assert "That is the same thing at the same moment" in past


def test_what_is_typed_finds_one_thing(auditor: Client, family: Signer) -> None:
    for typed in ("<i>right", RIGHT, RIGHT.upper(), RIGHT.partition(":")[2]):
        answer = auditor.get(f"/compare/{LEFT}", {"with": typed}, follow=True)
        assert "Where left and <i>right differ" in text_of(answer), typed
    several = text_of(auditor.get(f"/compare/{LEFT}", {"with": "data"}))
    assert f"{SHARED} things are found for this" in several
    assert several.count("Where they differ") == 10 + 1
    none = auditor.get(f"/compare/{LEFT}", {"with": "nobody's"})
    assert (none.status_code, "is called so" in none.content.decode()) == (404, True)


def test_what_there_is_to_choose_from(auditor: Client, family: Signer) -> None:
    lineage = auditor.get(f"/models/{LEFT}/lineage").content.decode()
    (url,) = re.findall(r'href="([^"]+)">Compare<', lineage)
    body = auditor.get(url).content.decode()
    offered = re.findall(r'href="([^"]+)">Where they differ<', body)
    assert len(offered) == 3
    assert "Only in left" in auditor.get(html.unescape(offered[0])).content.decode()
    (first,) = re.findall(r'href="([^"]+)">Since it was first named<', body)
    assert "what is different since then" in text_of(auditor.get(html.unescape(first)))
    assert "Since yesterday" not in body  # nobody had named it then


def test_what_can_not_be_compared(auditor: Client, family: Signer) -> None:
    unknown = "sha256:" + "0" * 64
    for query, status in (
        ({"with": RIGHT, "part": "neither"}, 400),
        ({"with": RIGHT, "part": "to", "after": "x"}, 400),
        ({"with": RIGHT, "after": "3~1"}, 400),
        ({"with": "a" * 501}, 400),
        ({"with": "a\0"}, 400),
        ({"with": unknown}, 404),
        ({"from_as_of": "yesterday"}, 400),
        ({"from_as_of": "1"}, 404),
        ({"with": LEFT}, 200),
    ):
        assert (query, auditor.get(f"/compare/{LEFT}", query).status_code) == (query, status)
    assert auditor.get(f"/compare/{unknown}").status_code == 404
    assert auditor.get(f"/compare/{unknown}", {"with": LEFT}).status_code == 404
    assert auditor.get(f"/compare/{unknown}/common").status_code == 404
    assert auditor.get(f"/compare/{LEFT}/common?" + f"with={RIGHT}&" * 10).status_code == 400
    assert auditor.get(f"/compare/{LEFT}/common?with={RIGHT}&after=x").status_code == 400


def test_what_two_models_have_in_common(auditor: Client, family: Signer) -> None:
    answer = auditor.get(f"/compare/{LEFT}/common", {"with": RIGHT})
    text = text_of(answer)
    assert "What left and <i>right have in common" in text
    assert f"In common · {SHARED + 2} " in text
    row = re.findall(r"<tr.*?</tr>", answer.content.decode(), re.DOTALL)[4]
    assert re.findall(r">(\d)</a>", row) == ["2", "2"]
    drawn = html.unescape(re.findall(r'href="([^"]+)" aria-label="2 steps from left', row)[0])
    assert "Only what lies on the one way" in auditor.get(drawn).content.decode()
    rows = csv_of(auditor.get(f"/compare/{LEFT}/common", {"with": RIGHT, "format": "csv"}))
    assert len(rows) == SHARED + 2
    assert (rows[0]["name"], rows[0][f"steps from {LEFT}"]) == ("'=base", "2")


def test_more_are_added_and_left_out(auditor: Client, family: Signer) -> None:
    url = f"/compare/{LEFT}/common?with={RIGHT}"
    third = auditor.get(f"{url}&with=%3Dbase", follow=True)
    assert "What 3 things have in common" in text_of(third)
    assert f"In common · {SHARED + 2} " in text_of(third)  # a thing counts as its own
    assert auditor.get(f"{url}&with={RIGHT}&with={LEFT}", follow=True).request["QUERY_STRING"] == (
        f"with={RIGHT}".replace(":", "%3A")
    )
    (without,) = re.findall(r'href="([^"]+)" aria-label="Leave out left"', third.content.decode())
    assert "What <i>right and =base have in common" in text_of(auditor.get(html.unescape(without)))
    nothing = text_of(auditor.get(f"/compare/{LEFT}/common", {"with": ALONE}))
    assert "They have nothing in common" in nothing
    assert "What it has in common with" in text_of(auditor.get(f"/compare/{LEFT}/common"))
