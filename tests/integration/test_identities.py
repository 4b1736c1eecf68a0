"""Statements that are signed by certificates: who is let in, as whom, when, and what ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineage.db.models import Entry, EntrySigner, LogHead
from lineage.services import as_of, decide, decide_signers, key_records, lineage, records
from lineage.trust.policy import Scopes
from tests import chains, factories
from tests.chains import Holder
from tests.conftest import Api, problem
from tests.factories import ANY, PERSON

TRAINER = "spiffe://example.com/trainer"


@pytest.fixture
def ca(log: None) -> Holder:
    return chains.authority("our signing CA")


def adopted(ca: Holder) -> str:
    done = decide_signers.adopt_root(ca.pem, "x509", "our signing CA", person=PERSON)
    return done.receipt.subjects[0].digest["sha256"]


def registered(root: str, subject: str = TRAINER, scopes: Scopes = ANY, **window: Any) -> str:
    done = decide_signers.register_identity("", subject, root, "trainer", scopes, person=PERSON, **window)
    return "identity:" + done.receipt.subjects[0].digest["sha256"]


def test_a_certificate_signs_as_its_identity(ca: Holder, api: Api, graph: Callable[[], int]) -> None:
    signer = registered(adopted(ca))
    middle = chains.authority("intermediate", ca)
    trainer = chains.holder("trainer", middle, uri=TRAINER)
    model = factories.artifact("model")

    answer = api.attest(trainer.envelope(factories.statement(model), middle))

    assert answer.status_code == 201, answer.content
    assert answer.json()["signers"] == [{"key_id": signer, "name": "trainer"}]
    entry = Entry.objects.get(index=answer.json()["index"])
    assert signer not in entry.key_ids  # the leaf names the certificate's key
    assert list(EntrySigner.objects.filter(entry=entry).values_list("signer__key_id", flat=True)) == [signer]
    graph()
    node = lineage.node(f"sha256:{model['digest']['sha256']}", as_of.resolve(None))
    assert (node.status, node.trust) == ("verified", "signed")
    record = records.attestation(answer.json()["digest"], as_of.resolve(None))
    assert [(s.outcome, s.key.name, s.key.allowed) for s in record.signatures if s.key] == [
        ("verified", "trainer", True)
    ]
    assert TRAINER in record.signatures[0].hint
    key = key_records.get(signer, as_of.resolve(None))
    assert (key.signed, key.subject, key.state) == (1, TRAINER, "in-force")


def test_its_node_and_page_are_the_identity_s(ca: Holder, api: Api, graph: Callable[[], int]) -> None:
    signer = registered(adopted(ca))
    api.attest(chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement()))
    graph()
    node = api.get(f"/api/v1/nodes/{signer}").json()
    assert (node["kind"], node["name"], node["status"]) == ("signer", "trainer", "verified")
    assert api.get(f"/api/v1/keys/{signer}").json()["subject"] == TRAINER
    assert (
        api.get("/api/v1/attestations", signer=signer).json()["attestations"][0]["signers"][0]["key_id"]
        == signer
    )


@pytest.mark.parametrize("why", ["stranger", "subject", "root", "altered", "nobody-adopted"])
def test_who_is_not_let_in(ca: Holder, api: Api, why: str) -> None:
    other = chains.authority("another CA")
    if why != "nobody-adopted":
        registered(adopted(ca))
    trainer = chains.holder("trainer", ca, uri=TRAINER)
    if why == "stranger":
        trainer = chains.holder("trainer", other, uri=TRAINER)
    elif why == "subject":
        trainer = chains.holder("trainer", ca, uri="spiffe://example.com/other")
    elif why == "root":
        decide_signers.adopt_root(other.pem, "x509", "another CA", person=PERSON)
        trainer = chains.holder("trainer", other, uri=TRAINER)
    envelope = trainer.envelope(factories.statement())
    if why == "altered":
        envelope = envelope.replace(b'"payload": "', b'"payload": "eyJ9', 1)
    size = Entry.objects.count()

    answer = api.attest(envelope)

    assert answer.status_code in (400, 422), answer.content
    assert Entry.objects.count() == size


def test_a_certificate_that_can_t_be_read_takes_nothing_from_a_key(ca: Holder, api: Api) -> None:
    registered(adopted(ca))
    key = factories.registered()
    said = factories.statement()
    envelope = json.loads(key.envelope(said))
    envelope["signatures"][0]["certificate"] = "bm90IGEgY2VydGlmaWNhdGU="
    assert api.attest(json.dumps(envelope).encode()).status_code == 201
    envelope["signatures"][0]["sig"] = "AAAA"
    assert problem(api.attest(json.dumps(envelope).encode())) == (422, "signer-unknown")


def test_without_any_root_it_is_said_what_is_missing(ca: Holder, api: Api) -> None:
    answer = api.attest(chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement()))
    assert problem(answer) == (422, "signer-unknown")
    assert "no root of trust is adopted" in answer.json()["detail"]


def test_a_certificate_that_was_over_when_it_came_in(ca: Holder, api: Api) -> None:
    registered(adopted(ca))
    old = chains.holder("trainer", ca, uri=TRAINER, days=1, start=chains.EPOCH + 20_000 * chains.DAY)
    answer = api.attest(old.envelope(factories.statement()))
    assert problem(answer) == (422, "key-not-valid")
    assert "by log time" in answer.json()["detail"]


def test_an_identity_keeps_to_its_scopes_and_window(ca: Holder, api: Api) -> None:
    root = adopted(ca)
    registered(root, scopes=Scopes(predicate_types=(factories.SLSA_V1,)))
    registered(root, "spiffe://example.com/gone", not_after_us=1)
    trainer = chains.holder("trainer", ca, uri=TRAINER)
    assert problem(api.attest(trainer.envelope(factories.statement()))) == (422, "not-allowed")
    gone = chains.holder("gone", ca, uri="spiffe://example.com/gone")
    assert problem(api.attest(gone.envelope(factories.statement()))) == (422, "key-not-valid")


def test_a_revoked_root_takes_its_identities_with_it(ca: Holder, api: Api, graph: Callable[[], int]) -> None:
    root = adopted(ca)
    signer = registered(root)
    model = factories.artifact("model")
    answer = api.attest(chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement(model)))
    graph()
    before = as_of.resolve(None)

    decide_signers.revoke_root(root, 0, "broken into", person=PERSON, compromised=True)
    graph()

    key = f"sha256:{model['digest']['sha256']}"
    now = as_of.resolve(None)
    assert (lineage.node(key, now).status, lineage.node(key, now).trust) == ("unverified", "revoked")
    assert lineage.node(key, before).status == "verified"
    assert records.attestation(answer.json()["digest"], now).trust == "revoked"
    assert key_records.get(signer, now).state == "compromised"
    assert api.get(f"/api/v1/nodes/{signer}").json()["status"] == "failed"
    again = chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement())
    assert problem(api.attest(again)) == (422, "key-not-valid")


def test_a_revoked_identity_leaves_others_of_its_root(ca: Holder, api: Api) -> None:
    root = adopted(ca)
    signer = registered(root)
    registered(root, "spiffe://example.com/*")
    decide.revoke_key(signer, 0, "left", person=PERSON)
    envelope = chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement())
    answer = api.attest(envelope)
    assert answer.status_code == 201  # the other registration fits as well
    assert len(answer.json()["signers"]) == 2
    assert records.attestation(answer.json()["digest"], as_of.resolve(None)).trust == "signed"


def test_a_certificate_s_key_that_is_registered_later_changes_nothing(ca: Holder, api: Api) -> None:
    root = adopted(ca)
    signer = registered(root)
    trainer = chains.holder("trainer", ca, uri=TRAINER)
    digest = api.attest(trainer.envelope(factories.statement())).json()["digest"]
    decide.register_key(spki_of(trainer), "the same key", ANY, person=PERSON)
    decide_signers.revoke_root(root, 0, "broken into", person=PERSON)

    record = records.attestation(digest, as_of.resolve(str(LogHead.objects.get(pk=1).size)))

    assert [each.key_id for each in record.signers] == [signer]
    assert record.trust == "revoked"


def spki_of(holder: Holder) -> bytes:
    return holder.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_certificate_is_no_way_round_what_its_key_may(ca: Holder, api: Api) -> None:
    registered(adopted(ca))
    trainer = chains.holder("trainer", ca, uri=TRAINER)
    done = decide.register_key(spki_of(trainer), "narrow", Scopes(predicate_types=("x",)), person=PERSON)
    key_id = done.receipt.subjects[0].digest["sha256"]
    envelope = trainer.envelope(factories.statement())
    assert problem(api.attest(envelope)) == (422, "not-allowed")
    decide.revoke_key(key_id, 0, "stolen", person=PERSON, compromised=True)
    assert problem(api.attest(envelope)) == (422, "key-not-valid")


def test_known_bytes_are_answered_with_what_is_thought_of_them_now(ca: Holder, api: Api) -> None:
    root = adopted(ca)
    registered(root)
    envelope = chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement())
    assert api.attest(envelope).json()["trust"] == "signed"
    decide_signers.revoke_root(root, 0, "broken into", person=PERSON)
    again = api.attest(envelope)
    assert (again.status_code, again.json()["trust"]) == (200, "revoked")


def test_a_certificate_with_a_name_of_an_odd_kind(ca: Holder, api: Api) -> None:
    """`ediPartyName`: the library knows of it, and can't read it. A good line beside it is taken."""
    registered(adopted(ca))
    odd = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex("3008a506810478797a61")
    )
    holder = chains.holder("trainer", ca, uri=TRAINER, extension=odd)
    lines = [
        holder.envelope(factories.statement()),
        factories.registered().envelope(factories.statement()),
    ]
    answer = api.post("/api/v1/attestations", b"\n".join(lines), "application/x-ndjson")
    assert answer.status_code == 200
    told = [line for line in answer.content.splitlines() if line]
    assert [b"signer-unknown" in line for line in told] == [True, False]


def test_a_set_of_envelopes_with_and_without_certificates(ca: Holder, api: Api) -> None:
    registered(adopted(ca))
    key = factories.registered()
    lines = [
        chains.holder("trainer", ca, uri=TRAINER).envelope(factories.statement()),
        key.envelope(factories.statement()),
    ]
    answer = api.post("/api/v1/attestations", b"\n".join(lines), "application/x-ndjson")
    receipts = [line for line in answer.content.splitlines() if line]
    assert [b'"index"' in line for line in receipts] == [True, True]
