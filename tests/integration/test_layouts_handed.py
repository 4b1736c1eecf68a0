"""Files handed in for a verdict whose signers are believed no more, or were then and are not since."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Entry
from lineage.errors import RedactedError
from lineage.services import (
    as_of,
    decide,
    decide_signers,
    layout_since,
    layout_verdicts,
    records,
    redact,
    withdraw,
)
from lineage.services.clock import now_us
from lineage.services.layout_handed import Handed
from lineage.trust.keys import PrivateKey
from lineage.trust.layouts_signers import Trials
from lineage.trust.policy import Scopes
from tests import chains, factories
from tests import layouts as given
from tests.factories import PERSON
from tests.integration.replacing import offline_root, replace_platform
from tests.integration.test_layouts import LINKS, adopt, send, sent, verdict
from tests.layouts import CODE, PACKED, enveloped, metablock, two_steps
from tests.unit.trust.test_layout_certificates import asked, signed

__all__ = ["sent"]

pytestmark = pytest.mark.usefixtures("key_folder")

Follow = Callable[[], int]
THIEF = "os:nobody"
BOB = "write-code.aaaaaaaa.link"
BOBS = pytest.mark.parametrize(
    "file",
    [enveloped(CODE, "bob"), enveloped(CODE, "bob") + b"\n", metablock(CODE, "bob")],
    ids=["the-same", "other-bytes", "classic"],
)


@pytest.fixture
def root(log: None) -> PrivateKey:
    return offline_root()


def bob() -> str:
    return given.key("bob").public.key_id


def said_of_steps(found: layout_verdicts.Verdict) -> str:
    return " ".join(link["said"] for step in found.report["steps"] for link in step["links"])


@BOBS
@pytest.mark.parametrize("compromised", [True, False])
def test_a_link_of_a_revoked_key_counts_for_nothing_in_whatever_form_it_is_handed_in(
    sent: list[str], graph: Follow, file: bytes, compromised: bool
) -> None:
    layout_id = adopt()
    assert verdict(layout_id, Handed(BOB, file)).report["notBelieved"] == []
    decide.revoke_key(bob(), 0, "laptop stolen", person=PERSON, compromised=compromised)
    graph()
    found = verdict(layout_id, Handed(BOB, file))
    assert (found.summary.result, found.summary.outcome) == ("FAILED", "refuted")
    logged = Entry.objects.get(envelope_digest=sent[0].removeprefix("sha256:")).index
    assert found.report["notBelieved"] == [logged, BOB]
    assert "the key is revoked" in said_of_steps(found)
    assert "laptop stolen" in said_of_steps(found)
    assert [one["name"] for one in found.report["handedIn"]] == [BOB], "it is kept with the verdict"


@BOBS
def test_what_is_handed_in_enters_the_log_now(sent: list[str], graph: Follow, file: bytes) -> None:
    """The logged link came in before the key was a thief's, and counts; a file proves no such time."""
    layout_id = adopt()
    decide.revoke_key(bob(), now_us(), "laptop stolen", person=PERSON, compromised=True)
    graph()
    found = verdict(layout_id, Handed(BOB, file))
    assert found.summary.outcome == "verified"
    assert found.report["notBelieved"] == ([] if file == enveloped(CODE, "bob") else [BOB])
    other = given.link("write-code", {}, {"foo.py": "print(2)"})
    packed = given.link("package", {"foo.py": "print(2)"}, {"foo.tar.gz": "packed"})
    files = Handed(BOB, metablock(other, "bob")), Handed("package.bbbbbbbb.link", metablock(packed, "carl"))
    found = verdict(layout_id, *files)
    assert [len(step["links"]) for step in found.report["steps"]] == [2, 2]
    assert (found.summary.outcome, found.report["notBelieved"]) == ("verified", [BOB])


def test_a_revocation_that_begins_later_takes_nothing_yet(sent: list[str], graph: Follow) -> None:
    layout_id = adopt()
    decide.revoke_key(bob(), now_us() + 3_600_000_000, "leaves today", person=PERSON)
    graph()
    assert verdict(layout_id, Handed(BOB, metablock(CODE, "bob"))).report["notBelieved"] == []


@pytest.mark.parametrize("window", [{"not_after_us": 1}, {"not_before_us": 4_000_000_000_000_000}])
def test_a_key_whose_time_is_over_or_has_not_come_signs_nothing_that_is_handed_in(
    api: Any, graph: Follow, window: dict[str, Any]
) -> None:
    """As nothing that it signs is let into the log now."""
    send(api, (PACKED, "carl"))
    graph()
    layout_id = adopt()
    file = Handed(BOB, metablock(CODE, "bob"))
    assert verdict(layout_id, file).summary.outcome == "verified", "it need not be registered"
    decide.register_key(given.key("bob").public.pem(), "bob", LINKS, person=PERSON, **window)
    assert "key-not-valid" in api.attest(enveloped(CODE, "bob")).json()["type"]
    found = verdict(layout_id, file)
    assert (found.summary.outcome, found.report["notBelieved"]) == ("refuted", [BOB])


def test_scopes_are_for_the_log_and_not_for_a_layout(api: Any, graph: Follow) -> None:
    send(api, (PACKED, "carl"))
    graph()
    decide.register_key(
        given.key("bob").public.pem(), "bob", Scopes(predicate_types=("another",)), person=PERSON
    )
    assert verdict(adopt(), Handed(BOB, metablock(CODE, "bob"))).summary.outcome == "verified"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_withdrawn_statement_is_not_brought_back_by_handing_it_in(
    sent: list[str], graph: Follow, end: bytes
) -> None:
    layout_id = adopt()
    withdraw.withdraw(
        records.attestation(sent[0], as_of.resolve(None)).statement, "wrong file", person=PERSON
    )
    graph()
    found = verdict(layout_id, Handed(BOB, enveloped(CODE, "bob") + end))
    assert found.summary.outcome == "refuted"
    logged = Entry.objects.get(envelope_digest=sent[0].removeprefix("sha256:")).index
    assert found.report["notBelieved"] == [logged, BOB]
    classic = verdict(layout_id, Handed(BOB, metablock(CODE, "bob")))
    assert classic.summary.outcome == "verified", "what he signed in classic form is a statement of its own"


def test_what_was_erased_is_not_brought_back_with_a_verdict(api: Any, graph: Follow) -> None:
    told = send(api, (CODE, "bob"))
    graph()
    redact.redact(told, "it names a person", person=PERSON)
    send(api, (PACKED, "carl"))
    layout_id = adopt()
    graph()
    size = Entry.objects.count()
    with pytest.raises(RedactedError):
        verdict(layout_id, Handed("write-code.aaaaaaaa.link", enveloped(CODE, "bob") + b"\n"))
    assert Entry.objects.count() == size


def test_a_thief_s_withdrawal_of_a_link_keeps_no_file_out(
    root: PrivateKey, sent: list[str], graph: Follow
) -> None:
    layout_id = adopt()
    since = now_us()
    statement = records.attestation(sent[0], as_of.resolve(None)).statement
    withdraw.withdraw(statement, "so that nobody sees it", person=THIEF)
    file = Handed(BOB, enveloped(CODE, "bob") + b"\n")
    assert verdict(layout_id, file).summary.outcome == "refuted"
    replace_platform(root, since)
    graph()
    found = verdict(layout_id, file)
    assert (found.summary.outcome, found.report["notBelieved"]) == ("verified", [])


def test_a_sublayout_of_a_revoked_key_counts_for_nothing(sent: list[str], graph: Follow) -> None:
    decide.register_key(given.key("alice").public.pem(), "alice", LINKS, person=PERSON)
    outer = given.layout([given.step("deliver", ["alice"], expected_products=[["ALLOW", "*"]])], ["alice"])
    inner = Handed("deliver.abcdef01.link", metablock(two_steps(), "alice"))
    layout_id = adopt(outer)
    before = verdict(layout_id, inner)
    assert before.summary.outcome == "verified"
    decide.revoke_key(given.key("alice").public.key_id, 0, "stolen", person=PERSON)
    assert since(before) == gone(inner.name)
    found = verdict(layout_id, inner)
    assert (found.summary.outcome, found.report["notBelieved"]) == ("refuted", [inner.name])


def test_another_signature_beside_a_revoked_key_s_makes_it_count_for_no_step(api: Any, graph: Follow) -> None:
    """The entry is believed because of dora, who is no functionary; bob's own signature still is not."""
    send(api, (PACKED, "carl"))
    for who in ("bob", "dora"):
        decide.register_key(given.key(who).public.pem(), who, LINKS, person=PERSON)
    both = api.attest(enveloped(CODE, "bob", "dora"))
    assert both.status_code == 201, both.content
    graph()
    layout_id = adopt()
    assert verdict(layout_id).summary.outcome == "verified"
    decide.revoke_key(bob(), 0, "stolen", person=PERSON, compromised=True)
    graph()
    found = verdict(layout_id)
    assert (found.summary.outcome, found.report["notBelieved"]) == ("refuted", [both.json()["index"]])


def test_who_else_signed_a_link_still_counts(api: Any, graph: Follow) -> None:
    send(api, (PACKED, "carl"), (CODE, "bob"))
    graph()
    asked_for = two_steps(keys=given.named("bob", "carl", "dora"))
    asked_for["steps"][0]["pubkeys"].append(given.keyid("dora"))
    layout_id = adopt(asked_for)
    decide.revoke_key(bob(), 0, "stolen", person=PERSON)
    found = verdict(layout_id, Handed(BOB, metablock(CODE, "bob", "dora")))
    assert found.summary.outcome == "verified"
    [link] = found.report["steps"][0]["links"]
    assert link["signers"] == [f"key {given.keyid('dora')[:12]}"]
    assert [type(each) for each in found.report["notBelieved"]] == [int], "the file counts"


@pytest.mark.parametrize("which", ["identity", "root"])
def test_a_certificate_of_a_revoked_identity_or_root_counts_for_nothing(
    api: Any, graph: Follow, which: str
) -> None:
    ca = chains.authority("our CA")
    builder = chains.holder("builder", ca, uri="spiffe://example.com/build")
    link = given.link("build", {}, {"foo.tar.gz": "packed"})
    used = {"name": "foo.tar.gz", "digest": given.ARTIFACT}
    signer = factories.registered()
    api.attest(signer.envelope(factories.provenance([factories.artifact("other")], materials=[used])))
    graph()
    layout_id = adopt(asked(ca))
    file = Handed("build.aaaaaaaa.link", signed(builder, content=link))
    assert verdict(layout_id, file).summary.outcome == "verified", "the ring knows nothing of it"
    root_id = decide_signers.adopt_root(ca.pem, "x509", "our CA", person=PERSON).receipt.subjects[0].digest
    name = root_id["sha256"]
    made = decide_signers.register_identity("", "spiffe://*/build", name, "build", LINKS, person=PERSON)
    before = verdict(layout_id, file)
    assert before.summary.outcome == "verified"
    if which == "root":
        decide_signers.revoke_root(name, 0, "broken into", person=PERSON, compromised=True)
    else:
        identity = f"identity:{made.receipt.subjects[0].digest['sha256']}"
        decide.revoke_key(identity, 0, "broken into", person=PERSON, compromised=True)
    assert since(before) == gone(file.name)
    found = verdict(layout_id, file)
    assert (found.summary.outcome, found.report["notBelieved"]) == ("refuted", [file.name])
    assert "broken into" in said_of_steps(found)


def test_the_page_names_what_was_left_out(sent: list[str], graph: Follow) -> None:
    layout_id = adopt()
    decide.revoke_key(bob(), 0, "stolen", person=PERSON)
    graph()
    found = verdict(layout_id, Handed("<b>x</b>.link", metablock(CODE, "bob")))
    logged = Entry.objects.get(envelope_digest=sent[0].removeprefix("sha256:")).index
    client = Client()
    client.force_login(factories.user("auditor"))
    page = client.get(f"/layouts/{layout_id}/verdicts/{found.digest}").content.decode()
    left_out = page.partition("Links that are not believed any more: ")[2].partition("</dd>")[0]
    assert left_out.replace("<wbr>", "") == f"entry {logged}, &lt;b&gt;x&lt;/b&gt;.link"


def since(found: layout_verdicts.Verdict, size: int | None = None) -> tuple[str, ...]:
    moment = as_of.resolve(None if size is None else str(size))
    return layout_verdicts.one(found.digest, moment).since


def gone(name: str) -> tuple[str, ...]:
    return (f"A link that it rests on is not believed any more: {name}. Check again.",)


def test_a_verdict_says_that_who_signed_a_file_was_revoked_since(api: Any, graph: Follow) -> None:
    for who in ("bob", "dora"):
        decide.register_key(given.key(who).public.pem(), who, LINKS, person=PERSON)
    send(api, (PACKED, "carl"))
    graph()
    layout_id = adopt()
    classic = verdict(layout_id, Handed(BOB, metablock(CODE, "bob")))
    envelope = verdict(layout_id, Handed(BOB, enveloped(CODE, "bob")))
    size = Entry.objects.count()
    decide.revoke_key(given.key("dora").public.key_id, 0, "stolen", person=PERSON)
    assert [since(classic), since(envelope)] == [(), ()], "dora signed none of it"
    decide.revoke_key(bob(), now_us(), "stolen", person=PERSON)
    assert [since(classic), since(envelope)] == [(), ()], "they were in the log before"
    decide.revoke_key(bob(), 0, "stolen long ago", person=PERSON)
    assert [since(classic), since(envelope)] == [gone(BOB), gone(BOB)]
    assert [since(classic, size), since(envelope, size)] == [(), ()]


def test_a_verdict_says_that_a_statement_in_a_file_was_withdrawn_since(
    sent: list[str], graph: Follow
) -> None:
    layout_id = adopt()
    classic = verdict(layout_id, Handed(BOB, metablock(CODE, "bob")))
    envelope = verdict(layout_id, Handed(BOB, enveloped(CODE, "bob") + b"\n"))
    same = verdict(layout_id, Handed(BOB, enveloped(CODE, "bob")))
    statement = records.attestation(sent[0], as_of.resolve(None)).statement
    logged = Entry.objects.get(envelope_digest=sent[0].removeprefix("sha256:")).index
    withdraw.withdraw(statement, "wrong file", person=PERSON)
    assert since(classic) == gone(f"entry {logged}")
    assert since(envelope) == gone(f"entry {logged}, {BOB}")
    assert since(same) == gone(f"entry {logged}"), "those bytes are the entry"


def padding(number: int) -> Handed:
    """A link of no step, with as many signatures as there may be, all made up."""
    file = json.loads(metablock(given.link(f"nothing-{number}")))
    made_up = [f"{number:02x}{sign:02x}" for sign in range(32)]
    file["signatures"] = [{"keyid": each * 16, "sig": each * 32} for each in made_up]
    return Handed(f"nothing-{number}.link", json.dumps(file).encode())


def test_no_file_beside_it_hides_that_who_signed_a_file_was_revoked_since(api: Any, graph: Follow) -> None:
    """70 files with 32 signatures each are more than may be tried."""
    decide.register_key(given.key("bob").public.pem(), "bob", LINKS, person=PERSON)
    send(api, (PACKED, "carl"))
    graph()
    beside = [padding(number) for number in range(70)]
    found = verdict(adopt(), *beside, Handed(BOB, metablock(CODE, "bob")))
    assert (found.summary.result, found.since) == ("PASSED", ())
    decide.revoke_key(bob(), 0, "stolen long ago", person=PERSON)
    assert since(found) == gone(BOB)


def test_no_copies_of_another_s_file_hide_that_who_signed_a_file_was_revoked_since(
    api: Any, graph: Follow
) -> None:
    """Of a step 20 links are listed: one of each signer comes before any copy."""
    decide.register_key(given.key("bob").public.pem(), "bob", LINKS, person=PERSON)
    send(api, (PACKED, "carl"))
    graph()
    both = two_steps(keys=given.named("bob", "carl", "dora"))
    both["steps"][0] |= {"pubkeys": [given.keyid("bob"), given.keyid("dora")], "threshold": 2}
    copies = [Handed(f"{number}.link", metablock(CODE, "dora") + b"\n" * number) for number in range(30)]
    found = verdict(adopt(both), *copies, Handed(BOB, metablock(CODE, "bob")))
    assert found.summary.result == "PASSED"
    listed = [link["name"] for link in found.report["steps"][0]["links"]]
    assert (listed[:3], len(listed)) == (["0.link", BOB, "1.link"], 20)
    decide.revoke_key(bob(), 0, "stolen long ago", person=PERSON)
    assert since(found) == gone(BOB)


def test_a_verdict_by_a_long_layout_says_that_its_last_signer_was_revoked_since(sent: list[str]) -> None:
    """Each of 45 keys on each of 45 files would be more than may be tried."""
    who = [f"person-{number}" for number in range(45)]
    layout_id = adopt(given.layout([given.step(each, [each]) for each in who], who))
    files = [
        Handed(f"{each}.aaaaaaaa.link", metablock(given.link(each, {}, {"foo.tar.gz": "packed"}), each))
        for each in who
    ]
    last = given.key(who[-1]).public
    decide.register_key(last.pem(), who[-1], LINKS, person=PERSON)
    found = verdict(layout_id, *files)
    assert (found.summary.result, found.since) == ("PASSED", ())
    decide.revoke_key(last.key_id, 0, "stolen long ago", person=PERSON)
    assert since(found) == gone(files[-1].name)


def test_a_verdict_names_the_files_of_whose_signers_it_can_t_be_told(
    sent: list[str], graph: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob's is not told of after the limit; what was withdrawn is, without any trial."""
    layout_id = adopt()
    other = Handed("nothing.link", metablock(given.link("nothing"), "bob"))
    classic = verdict(layout_id, Handed(BOB, metablock(CODE, "bob")), other)
    envelope = verdict(layout_id, Handed(BOB, enveloped(CODE, "bob") + b"\n"))
    monkeypatch.setattr(layout_since, "Trials", lambda: Trials(left=0))
    assert [since(classic), since(envelope)] == [(), ()], "nobody was revoked"
    decide.register_key(given.key("dora").public.pem(), "dora", LINKS, person=PERSON)
    decide.revoke_key(given.key("dora").public.key_id, 0, "stolen", person=PERSON)
    untold = f"Whether a link that it rests on is believed can't be told any more: {BOB}. Check again."
    assert [since(classic), since(envelope)] == [(untold,), (untold,)]
    statement = records.attestation(sent[0], as_of.resolve(None)).statement
    logged = Entry.objects.get(envelope_digest=sent[0].removeprefix("sha256:")).index
    withdraw.withdraw(statement, "wrong file", person=PERSON)
    assert since(classic) == (*gone(f"entry {logged}"), untold)
    assert since(envelope) == gone(f"entry {logged}, {BOB}")
    client = Client()
    client.force_login(factories.user("auditor"))
    graph()
    for address in (f"/layouts/{layout_id}", f"/layouts/{layout_id}/verdicts/{classic.digest}"):
        page = client.get(address).content.decode()
        assert "believed can&#x27;t be told any more: write-code." in page
