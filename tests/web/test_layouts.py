"""Pages of layouts: adopting one, checking an artifact, reading the verdict step by step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lineage.services import decide
from tests import layouts as given
from tests.conftest import Api
from tests.factories import PERSON
from tests.integration.test_layouts import ARTIFACT, LINKS, adopt
from tests.layouts import CODE, PACKED, enveloped, metablock, two_steps

EVIL = "<script>alert(1)</script>\u202e"


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "release",
        "layout": SimpleUploadedFile("demo.layout", metablock(two_steps(), "owner")),
        "owners": given.key("owner").public.pem().decode(),
        "reason": "agreed in March",
    } | fields


@pytest.fixture
def sent(api: Api, graph: Callable[[], int]) -> None:
    for who, content in (("bob", CODE), ("carl", PACKED)):
        decide.register_key(given.key(who).public.pem(), who, LINKS, person=PERSON)
        assert api.attest(enveloped(content, who)).status_code == 201
    graph()


def test_nothing_is_adopted_yet(auditor: Client, operator: Client) -> None:
    assert "No layout is adopted yet" in words(auditor.get("/layouts"))
    assert "Adopt a layout" not in words(auditor.get("/layouts"))
    assert "Adopt a layout" in words(operator.get("/layouts"))


def test_the_story(sent: None, operator: Client, graph: Callable[[], int]) -> None:
    answer = operator.post("/layouts/_new", form())
    assert answer.status_code == 302, words(answer)
    page = answer["Location"]
    text = words(operator.get(page))
    assert "Nothing was checked against it yet" in text
    assert "MATCH foo.py WITH PRODUCTS FROM write-code" in text

    asked = operator.post(f"{page}/verify", {"artifact": ARTIFACT})
    assert asked.status_code == 302, words(asked)
    verdict = operator.get(asked["Location"])
    text = words(verdict)
    assert "All 2 steps of the layout were done as it asks." in text
    assert "Accepts foo.py." in text
    assert text.count("Verified") >= 3

    graph()
    assert "Checked against layouts" in words(operator.get(f"/artifacts/{ARTIFACT}"))
    assert "foo.tar.gz" in words(operator.get(page))

    gone = operator.post(f"{page}/withdraw", {"reason": "replaced"})
    assert gone.status_code == 302
    assert "The layout was withdrawn by entry" in words(operator.get(asked["Location"]))
    assert "Check an artifact" not in words(operator.get(page))
    assert operator.post(f"{page}/verify", {"artifact": ARTIFACT}).status_code == 422
    assert operator.post(f"{page}/withdraw", {"reason": "again"}).status_code == 422


def test_a_broken_rule_is_shown(sent: None, operator: Client, graph: Callable[[], int]) -> None:
    asked = two_steps()
    asked["steps"][1]["expected_products"] = [["ALLOW", "foo.tar.gz"], ["DISALLOW", "*"]]
    answer = operator.post(f"/layouts/{adopt(asked)}/verify", {"artifact": ARTIFACT})
    text = words(operator.get(answer["Location"]))
    assert "Refuted" in text
    assert "Forbids foo.py, which no rule before had accepted." in text
    assert "broken" in text


def test_classic_links_are_handed_in_as_files(sent: None, operator: Client) -> None:
    outer = given.layout([given.step("deliver", ["alice"])], ["alice"])
    files = [SimpleUploadedFile("deliver.abcdef01.link", metablock(two_steps(), "alice"))]
    answer = operator.post(f"/layouts/{adopt(outer)}/verify", {"artifact": ARTIFACT, "links": files})
    assert answer.status_code == 302, words(answer)
    text = words(operator.get(answer["Location"]))
    assert "A layout was signed for this step" in text
    assert "deliver.abcdef01.link" in text


def test_what_strangers_wrote_is_text(api: Api, operator: Client, graph: Callable[[], int]) -> None:
    name = f"step {EVIL}"
    asked = given.layout(
        [given.step(name, ["bob"], expected_products=[["DISALLOW", EVIL]])], ["bob"], readme=EVIL
    )
    decide.register_key(given.key("bob").public.pem(), "bob", LINKS, person=PERSON)
    link = given.link(name, {}, {EVIL: "x", "foo.tar.gz": "packed"})
    assert api.attest(enveloped(link, "bob")).status_code == 201
    graph()
    layout_id = adopt(asked)
    answer = operator.post(f"/layouts/{layout_id}/verify", {"artifact": ARTIFACT})
    for page in (answer["Location"], f"/layouts/{layout_id}", "/layouts", f"/artifacts/{ARTIFACT}"):
        assert "<script>alert" not in operator.get(page).content.decode()
    assert "Refuted" in words(operator.get(answer["Location"]))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"owners": "no key"}, "There is no PEM block in it."),
        ({"owners": given.key("stranger").public.pem().decode()}, "is not signed by the owner"),
        ({"layout": SimpleUploadedFile("x", b"{}")}, "envelope"),
        ({"layout": SimpleUploadedFile("x", metablock(CODE, "owner"))}, "This is a link, not a layout."),
        ({"reason": ""}, "This field is required."),
    ],
    ids=["no-pem", "stranger", "no-layout", "link", "no-reason"],
)
def test_mistakes_stand_beside_the_form(operator: Client, fields: dict[str, Any], said: str) -> None:
    answer = operator.post("/layouts/_new", form(**fields))
    assert answer.status_code == 422
    assert said in words(answer)


def test_mistakes_of_questions(sent: None, operator: Client) -> None:
    page = f"/layouts/{adopt()}"
    for fields in ({"artifact": f"sha256:{'f' * 64}"}, {"artifact": "nonsense"}, {}):
        assert operator.post(f"{page}/verify", fields).status_code == 422
    bad = [SimpleUploadedFile("a.link", b"{}")]
    assert operator.post(f"{page}/verify", {"artifact": ARTIFACT, "links": bad}).status_code == 422
    assert operator.post(f"{page}/dance", {}).status_code == 404
    assert operator.get(f"{page}/verdicts/sha256:{'f' * 64}").status_code == 404
    assert operator.get(f"/layouts/{'f' * 64}").status_code == 404
    assert operator.get("/layouts/nonsense").status_code in (400, 404)


@pytest.mark.parametrize("role", ["auditor", "officer"])
def test_only_operators_decide(person: Callable[[str], Client], log: None, role: str) -> None:
    client = person(role)
    page = f"/layouts/{adopt()}"
    assert client.get(page).status_code == 200
    assert "Withdraw it" not in words(client.get(page))
    for address in ("/layouts/_new", f"{page}/verify", f"{page}/withdraw"):
        assert client.post(address, {"artifact": ARTIFACT, "reason": "x"}).status_code == 403
    assert Client().get(page).status_code == 302


def test_forms_want_their_token(person: Callable[[str], Client], log: None) -> None:
    page = f"/layouts/{adopt()}"
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = person("operator").cookies
    for address in ("/layouts/_new", f"{page}/verify", f"{page}/withdraw"):
        assert strict.post(address, {"artifact": ARTIFACT, "reason": "x"}).status_code == 403
