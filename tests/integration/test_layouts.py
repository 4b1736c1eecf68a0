"""Layouts in an installation: adopted, asked of an artifact, answered by a signed entry, withdrawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lineage import config
from lineage.db.models import Entry
from lineage.errors import ConflictError, MalformedError, NotFoundError, ProposedError, TooLargeError
from lineage.services import (
    approvals,
    as_of,
    decide,
    layout_links,
    layout_records,
    layout_verdicts,
    layouts,
    lineage,
    project,
    records,
    rights,
    withdraw,
)
from lineage.services.layout_handed import MAX_HANDED_BYTES, Handed
from lineage.services.layout_verdicts import Verdict
from lineage.trust.policy import Scopes
from tests import factories
from tests import layouts as given
from tests.factories import PERSON
from tests.layouts import CODE, PACKED, enveloped, metablock, two_steps

ARTIFACT = f"sha256:{given.ARTIFACT['sha256']}"
LINKS = Scopes(predicate_types=("link", "https://in-toto.io/attestation/link/v0.3"))


def adopt(what: dict[str, Any] | None = None, **more: Any) -> str:
    data = metablock(what or two_steps(), "owner")
    layouts.adopt(
        data, [given.key("owner").public.pem()], "release", "agreed in March", person=PERSON, **more
    )
    return hashlib.sha256(data).hexdigest()


def send(api: Any, *signed: tuple[dict[str, Any], str]) -> list[str]:
    """Links of functionaries that are registered here too; the envelopes' digests."""
    for who in {who for _, who in signed}:
        key = given.key(who).public
        try:
            decide.register_key(key.pem(), who, LINKS, person=PERSON)
        except ConflictError:
            continue
    found = []
    for content, who in signed:
        answer = api.attest(enveloped(content, who))
        assert answer.status_code in (200, 201), answer.content
        found.append(answer.json()["digest"])
    return found


def verdict(layout_id: str, *handed: Handed) -> Verdict:
    done = layout_verdicts.verify(layout_id, ARTIFACT, handed, person=PERSON)
    return layout_verdicts.one(done.receipt.digest, as_of.resolve(None))


@pytest.fixture
def sent(api: Any, graph: Callable[[], int]) -> list[str]:
    digests = send(api, (CODE, "bob"), (PACKED, "carl"))
    graph()
    return digests


def test_logged_links_fulfil_a_layout(sent: list[str], graph: Callable[[], int]) -> None:
    layout_id = adopt()
    found = verdict(layout_id)
    assert (found.summary.result, found.summary.outcome) == ("PASSED", "verified")
    assert [(s["name"], s["outcome"]) for s in found.report["steps"]] == [
        ("write-code", "verified"),
        ("package", "verified"),
    ]
    assert found.person == PERSON
    assert found.since == ()
    used = {link["digest"] for step in found.report["steps"] for link in step["links"]}
    assert used == {digest.removeprefix("sha256:") for digest in sent}
    assert [v.digest for v in layout_verdicts.of_layout(layout_id, as_of.resolve(None))] == [found.digest]
    assert [v.digest for v in layout_verdicts.of_artifact(ARTIFACT, as_of.resolve(None))] == [found.digest]


def test_a_verdict_is_an_entry_signed_by_the_platform(sent: list[str], graph: Callable[[], int]) -> None:
    found = verdict(adopt())
    record = records.attestation(found.digest, as_of.resolve(None))
    assert (record.kind, record.trust, record.title) == ("observation", "observed", "Verification summary")
    assert [s.outcome for s in record.signatures] == ["verified"]
    key = record.signatures[0].key
    assert key is not None
    assert key.role == "platform"
    assert ("Outcome", "verified") in record.described
    assert graph()
    assert records.attestation(found.digest, as_of.resolve(None)).skipped == ""


def test_a_verdict_makes_nothing_green(api: Any, graph: Callable[[], int]) -> None:
    """By links in classic form alone: the artifact is known, and nobody's signed statement is about it."""
    signer = factories.registered()
    used = {"name": "foo.tar.gz", "digest": given.ARTIFACT}
    api.attest(signer.envelope(factories.provenance([factories.artifact("other")], materials=[used])))
    graph()
    before = lineage.node(ARTIFACT, as_of.resolve(None)).status
    found = verdict(adopt(), *files())
    graph()
    node = lineage.node(ARTIFACT, as_of.resolve(None))
    assert found.summary.result == "PASSED"
    assert (before, node.status) == ("unverified", "unverified")
    assert any("PASSED" in detail.value for detail in node.details)


def files() -> list[Handed]:
    return [
        Handed("write-code.aaaaaaaa.link", metablock(CODE, "bob")),
        Handed("package.bbbbbbbb.link", metablock(PACKED, "carl")),
    ]


def test_what_is_handed_in_is_kept_with_the_verdict(sent: list[str]) -> None:
    found = verdict(adopt(), files()[1])
    assert [one["name"] for one in found.report["handedIn"]] == ["package.bbbbbbbb.link"]


def test_a_pipeline_s_summary_makes_nothing_green_either(api: Any, graph: Callable[[], int]) -> None:
    signer = factories.registered()
    summary = factories.statement(
        factories.artifact("model"),
        predicate_type="https://slsa.dev/verification_summary/v1",
        predicate={"verifier": {"id": "https://ci.example/gate"}, "verificationResult": "PASSED"},
    )
    answer = api.attest(signer.envelope(summary))
    assert answer.status_code == 201, answer.content
    graph()
    key = f"sha256:{factories.sha256('model')}"
    assert lineage.node(key, as_of.resolve(None)).status == "unverified"
    [found] = layout_verdicts.of_artifact(key, as_of.resolve(None))
    assert (found.kind, found.layout_id, found.summary.verifier) == (
        "attestation",
        "",
        "https://ci.example/gate",
    )


def test_a_missing_link_is_refuted_and_shown(api: Any, graph: Callable[[], int]) -> None:
    send(api, (PACKED, "carl"))
    graph()
    found = verdict(adopt())
    assert (found.summary.result, found.summary.outcome) == ("FAILED", "refuted")
    assert "write-code" in found.summary.reasons[0]
    graph()
    assert any("FAILED" in d.value for d in lineage.node(ARTIFACT, as_of.resolve(None)).details)


def test_inspections_leave_it_inconclusive(sent: list[str]) -> None:
    inspection = {"_type": "inspection", "name": "untar", "run": ["true"]}
    found = verdict(adopt(two_steps(inspect=[inspection])))
    assert (found.summary.result, found.summary.outcome) == ("FAILED", "inconclusive")


def test_a_link_of_a_revoked_key_counts_for_nothing(sent: list[str], graph: Callable[[], int]) -> None:
    layout_id = adopt()
    before = verdict(layout_id)
    decide.revoke_key(given.key("bob").public.key_id, 0, "stolen", person=PERSON)
    graph()
    after = verdict(layout_id)
    assert (before.summary.outcome, after.summary.outcome) == ("verified", "refuted")
    assert len(after.report["notBelieved"]) == 1
    again = layout_verdicts.one(before.digest, as_of.resolve(None))
    assert any("not believed any more" in said for said in again.since)
    then = as_of.resolve(str(before.index + 1))
    assert layout_verdicts.one(before.digest, then).since == ()


def test_a_withdrawn_link_counts_for_nothing(sent: list[str], graph: Callable[[], int]) -> None:
    layout_id = adopt()
    statement = records.attestation(sent[0], as_of.resolve(None)).statement
    withdraw.withdraw(statement, "wrong file", person=PERSON)
    graph()
    assert verdict(layout_id).summary.outcome == "refuted"


def reviewed() -> dict[str, Any]:
    """A layout with a step that makes nothing."""
    asked = two_steps()
    review = given.step("review", ["dora"], expected_materials=[["REQUIRE", "foo.py"], ["ALLOW", "*"]])
    asked["steps"].insert(1, review)
    asked["keys"] = given.named("bob", "carl", "dora")
    return asked


LOOKED = given.link("review", {"foo.py": "print(1)"}, {})


def test_a_step_without_products_is_found_by_what_it_used(api: Any, graph: Callable[[], int]) -> None:
    send(api, (CODE, "bob"), (LOOKED, "dora"), (PACKED, "carl"))
    graph()
    assert verdict(adopt(reviewed())).summary.outcome == "verified"


def test_a_link_that_the_graph_has_not_followed_refutes_nothing(api: Any, graph: Callable[[], int]) -> None:
    send(api, (CODE, "bob"), (PACKED, "carl"))
    graph()
    layout_id = adopt(reviewed())
    assert verdict(layout_id).summary.outcome == "refuted"
    send(api, (LOOKED, "dora"))
    found = verdict(layout_id).summary
    assert (found.result, found.outcome) == ("FAILED", "inconclusive")
    assert "not followed all logged links" in found.reasons[0]
    graph()
    assert verdict(layout_id).summary.outcome == "verified"


def test_a_graph_that_is_made_anew_meanwhile_refutes_nothing(
    api: Any, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(api, (PACKED, "carl"))
    graph()
    layout_id = adopt()
    real = layout_links._entries

    def meanwhile(digests: Collection[str], size: int) -> Iterator[int]:
        yield from real(digests, size)
        project.rebuild()

    monkeypatch.setattr(layout_links, "_entries", meanwhile)
    assert verdict(layout_id).summary.outcome == "inconclusive"


def test_links_of_other_builds_do_not_matter(sent: list[str], api: Any, graph: Callable[[], int]) -> None:
    other = given.link("write-code", {}, {"foo.py": "another"})
    packed = given.link("package", {"foo.py": "another"}, {"foo.tar.gz": "another packed"})
    send(api, (other, "bob"), (packed, "carl"))
    graph()
    found = verdict(adopt())
    assert found.summary.outcome == "verified"
    assert [len(step["links"]) for step in found.report["steps"]] == [1, 1]


def test_a_sublayout_is_handed_in(sent: list[str]) -> None:
    outer = given.layout([given.step("deliver", ["alice"], expected_products=[["ALLOW", "*"]])], ["alice"])
    inner = Handed("deliver.abcdef01.link", metablock(two_steps(), "alice"))
    found = verdict(adopt(outer), inner)
    assert found.summary.outcome == "verified"
    assert found.report["steps"][0]["sublayouts"][0]["outcome"] == "verified"


def test_adopting(log: None) -> None:
    layout_id = adopt()
    found = layout_records.one(layout_id, as_of.resolve(None))
    assert (found.name, found.adopted.person, found.withdrawn) == ("release", PERSON, None)
    assert [s.name for s in layout_records.asked(found).steps] == ["write-code", "package"]
    with pytest.raises(ConflictError):
        adopt()
    index = layouts.withdraw(layout_id, "replaced", person=PERSON).receipt.index
    assert layout_records.one(layout_id, as_of.resolve(str(index))).withdrawn is None
    assert layout_records.one(layout_id, as_of.resolve(None)).withdrawn is not None
    with pytest.raises(ConflictError):
        layouts.withdraw(layout_id, "again", person=PERSON)
    with pytest.raises(ConflictError):
        layout_verdicts.verify(layout_id, ARTIFACT, person=PERSON)
    assert adopt() == layout_id
    assert layout_records.one(layout_id, as_of.resolve(None)).withdrawn is None


@pytest.mark.parametrize("why", ["unsigned", "expired", "none", "owner", "name", "reason", "rules", "link"])
def test_what_is_not_adopted(log: None, why: str) -> None:
    asked = two_steps(expires="2020-01-01T00:00:00Z") if why == "expired" else two_steps()
    if why == "rules":
        asked["steps"][0]["expected_products"] = [["PERMIT", "*"]]
    data = metablock(CODE if why == "link" else asked, *(() if why == "unsigned" else ("owner",)))
    owners = {"none": [], "owner": [b"no key"]}.get(why, [given.key("owner").public.pem()])
    size = Entry.objects.count()
    with pytest.raises(MalformedError):
        layouts.adopt(
            data,
            owners,
            " " if why == "name" else "release",
            "" if why == "reason" else "agreed",
            person=PERSON,
        )
    assert Entry.objects.count() == size


def test_adopting_may_need_a_second_person(graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.current()
    changed = replace(settings, people=replace(settings.people, four_eyes_hours=24))
    for module in ("lineage.services.second_person", "lineage.services.approvals"):
        monkeypatch.setattr(f"{module}.current", lambda: changed)
    data = metablock(two_steps(), "owner")
    owners = [given.key("owner").public.pem()]
    with pytest.raises(ProposedError) as proposed:
        layouts.adopt(data, owners, "release", "agreed", person="anna@example.com")
    assert not layout_records.below(Entry.objects.count())
    ben = rights.actor_of(factories.user("operator"))
    approvals.approve(proposed.value.number, ben)
    [found] = layout_records.below(Entry.objects.count()).values()
    assert (found.name, found.adopted.person) == ("release", "anna@example.com")
    assert layout_records.content(found) == data


def test_what_can_t_be_asked(sent: list[str]) -> None:
    layout_id = adopt()
    for wrong, error in (("f" * 64, NotFoundError), ("../x", MalformedError)):
        with pytest.raises(error):
            layout_verdicts.verify(wrong, ARTIFACT, person=PERSON)
    for wrong, error in (
        (f"sha256:{'f' * 64}", NotFoundError),
        ("run:ab", MalformedError),
        ("sha256:\0", MalformedError),
    ):
        with pytest.raises(error):
            layout_verdicts.verify(layout_id, wrong, person=PERSON)
    big = Handed("a.link", b" " * (MAX_HANDED_BYTES + 1))
    with pytest.raises(TooLargeError):
        layout_verdicts.verify(layout_id, ARTIFACT, [big], person=PERSON)
    with pytest.raises(TooLargeError):
        layout_verdicts.verify(layout_id, ARTIFACT, files()[:1] * 101, person=PERSON)
    for handed in (Handed("a.link", b"{}"), Handed("", metablock(CODE, "bob"))):
        with pytest.raises(MalformedError):
            layout_verdicts.verify(layout_id, ARTIFACT, [handed], person=PERSON)
