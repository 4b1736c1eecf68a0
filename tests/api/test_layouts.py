"""Layouts over REST: adopted, read, asked, withdrawn; and every way of being wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lineage.services import decide
from tests import layouts as given
from tests.conftest import Api, problem
from tests.factories import PERSON
from tests.integration.test_layouts import ARTIFACT, LINKS
from tests.layouts import CODE, PACKED, enveloped, metablock, two_steps


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def form(**members: Any) -> bytes:
    body = {
        "name": "release",
        "layout": b64(metablock(two_steps(), "owner")),
        "owners": [given.key("owner").public.pem().decode()],
        "reason": "agreed in March",
    }
    return json.dumps(body | members).encode()


@pytest.fixture
def operator(as_scope: Callable[..., Api]) -> Api:
    return as_scope("operate", "read", "attest")


@pytest.fixture
def layout_id(operator: Api) -> str:
    answer = operator.post("/api/v1/layouts", form())
    assert answer.status_code == 201, answer.content
    found: str = answer.json()["layout_id"]
    return found


@pytest.fixture
def sent(operator: Api, graph: Callable[[], int]) -> None:
    for who, content in (("bob", CODE), ("carl", PACKED)):
        decide.register_key(given.key(who).public.pem(), who, LINKS, person=PERSON)
        assert operator.attest(enveloped(content, who)).status_code == 201
    graph()


def test_the_story(sent: None, operator: Api) -> None:
    adopted = operator.post("/api/v1/layouts", form())
    assert adopted.status_code == 201, adopted.content
    place = adopted["Location"]
    assert adopted.json()["decision"]["predicate_type"] == "urn:lineage:predicate:decision:v1"
    one = operator.get(place).json()
    assert (one["name"], one["state"], one["withdrawn"]) == ("release", "in-force", None)
    assert one["steps"][1]["materials"][0] == "MATCH foo.py WITH PRODUCTS FROM write-code"
    assert one["adopted"]["person"].startswith("token:")
    assert [each["layout_id"] for each in operator.get("/api/v1/layouts").json()["layouts"]] == [
        one["layout_id"]
    ]

    asked = operator.post(f"{place}/verify", json.dumps({"artifact": ARTIFACT}).encode())
    assert asked.status_code == 201, asked.content
    verdict = asked.json()["verdict"]
    assert (verdict["result"], verdict["outcome"]) == ("PASSED", "verified")
    assert [step["outcome"] for step in verdict["report"]["steps"]] == ["verified", "verified"]
    entry = operator.get(asked["Location"]).json()
    assert (entry["trust"], entry["predicate_type"]) == (
        "observed",
        "https://slsa.dev/verification_summary/v1",
    )
    listed = operator.get(f"{place}/verify").json()["verdicts"]
    assert [each["digest"] for each in listed] == [verdict["digest"]]

    gone = operator.post(f"{place}/withdraw", b'{"reason": "replaced"}')
    assert gone.status_code == 201
    assert operator.get(place).json()["state"] == "withdrawn"
    before = gone.json()["decision"]["index"]
    assert operator.get(place, as_of=str(before)).json()["state"] == "in-force"
    assert "withdrawn" in operator.get(f"{place}/verify").json()["verdicts"][0]["since"][0]
    again = operator.post(f"{place}/verify", json.dumps({"artifact": ARTIFACT}).encode())
    assert problem(again) == (409, "conflict")


def test_classic_links_are_handed_in(sent: None, operator: Api, layout_id: str) -> None:
    links = [{"name": "package.aaaaaaaa.link", "content": b64(metablock(PACKED, "carl"))}]
    body = json.dumps({"artifact": ARTIFACT, "links": links}).encode()
    answer = operator.post(f"/api/v1/layouts/{layout_id}/verify", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["verdict"]["report"]["handedIn"] == links


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"layout": "!"}, "layout"),
        ({"layout": ""}, "layout"),
        ({"owners": []}, "owners"),
        ({"owners": ["x"]}, "owners"),
        ({"owners": [given.key("stranger").public.pem().decode()]}, "owners"),
        ({"name": ""}, "name"),
        ({"reason": ""}, "reason"),
        ({"extra": 1}, ""),
        ({"name": 1}, "$.name"),
    ],
    ids=range(9),
)
def test_what_is_not_adopted(operator: Api, members: dict[str, Any], where: str) -> None:
    answer = operator.post("/api/v1/layouts", form(**members))
    assert problem(answer) == (400, "malformed")
    assert answer.json().get("where", "") == where


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"artifact": f"sha256:{'f' * 64}"}, 404),
        ({"artifact": "nonsense"}, 400),
        ({"artifact": ARTIFACT, "links": [{"name": "a", "content": "!"}]}, 400),
        ({"artifact": ARTIFACT, "links": [{"name": "a", "content": b64(b"{}")}]}, 400),
        ({"artifact": ARTIFACT, "links": [{"name": "a", "content": b64(b" " * (2 << 20)) + ""}] * 2}, 413),
        ({}, 400),
    ],
    ids=range(6),
)
def test_what_can_t_be_asked(
    sent: None, operator: Api, layout_id: str, body: dict[str, Any], status: int
) -> None:
    answer = operator.post(f"/api/v1/layouts/{layout_id}/verify", json.dumps(body).encode())
    assert answer.status_code == status, answer.content


@pytest.mark.parametrize("scopes", [("read",), ("attest",), ("check",), ("decide",)], ids=lambda s: s[0])
def test_other_scopes_decide_nothing(
    as_scope: Callable[..., Api], layout_id: str, scopes: tuple[str]
) -> None:
    other = as_scope(*scopes)
    for place in ("", f"/{layout_id}/verify", f"/{layout_id}/withdraw"):
        assert problem(other.post(f"/api/v1/layouts{place}", b"{}")) == (403, "forbidden")
