"""Envelopes that are redacted: bytes go, leaves stay, and the graph is as if they had said nothing."""

from __future__ import annotations

import pytest
from django.db import connection

from lineage.db.models import EntrySubject
from lineage.errors import NotFoundError, RedactedError, UnavailableError
from lineage.graph.model import run_key
from lineage.services import as_of, lineage, project_entries, records, redact, redactable, redactions
from tests import factories
from tests.factories import BUILDER, PERSON
from tests.integration.projections import key_of, send, send_envelope, status_at, the_same_after_a_rebuild
from tests.integration.redacting import (
    WHY,
    Follow,
    envelope_of,
    fetched,
    in_files,
    redacted,
    stored,
)

pytestmark = pytest.mark.usefixtures("log", "storage_root")


def test_bytes_go_and_the_graph_is_as_if_nothing_had_been_said(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    made, data = factories.artifact("model"), factories.artifact("data")
    gone = send(who, factories.provenance([made], [data], invocation="r"))
    both = factories.artifact("both")
    send(who, factories.statement(both))
    twice = send(other, factories.statement(both, predicate={"of": "somebody"}))
    before = graph()
    assert status_at(key_of("model"), before) == ("verified", "")
    decided = redacted(gone, twice)
    assert not stored(gone)
    assert not stored(twice)
    bare = [envelope_of(index).removeprefix("sha256:") for index in (gone, twice)]
    assert redactable.taken(bare) == dict.fromkeys(bare, decided)
    assert redactions.among(bare, decided) == {}, "not yet as of before"
    told = redactions.of(envelope_of(gone).removeprefix("sha256:"))
    assert told is not None
    assert (told.index, told.person, told.reason) == (decided, PERSON, WHY)
    after = graph()
    assert after == decided + 1
    assert status_at(key_of("both"), after) == ("verified", ""), "somebody else says so too"
    keys = {row[0] for row in fetched("SELECT key FROM graph_node")}
    assert run_key(BUILDER, "r", "") not in keys
    assert key_of("model") not in keys, "nothing else names it"
    assert key_of("both") in keys
    assert project_entries.read(gone, 1)[0].skipped == f"Redacted by entry {decided}."
    the_same_after_a_rebuild()


def test_names_go_and_digests_of_bytes_stay_unless_they_are_to_go_too() -> None:
    who = factories.registered()
    digest = factories.sha256("cv")
    subject = {"name": "Ada Lovelace", "digest": {"sha256": digest, "person": "ada@example.com"}}
    kept = send(who, factories.statement(subject))
    wholly = send(who, factories.statement(subject, predicate={"again": True}))
    redacted(kept)
    redacted(wholly, erase_subjects=True)
    rows = EntrySubject.objects.filter(entry_id__in=(kept, wholly)).values_list("entry_id", "digest", "name")
    assert list(rows) == [(kept, f"sha256:{digest}", "")]


def test_a_statement_goes_with_every_entry_of_it() -> None:
    first, second = factories.registered(), factories.registered()
    made = factories.statement(factories.artifact("model"))
    indexes = [send(first, made), send(second, made), send_envelope(first.envelope(made, keyid=None))]
    redacted(indexes[1])
    assert [stored(index) for index in indexes] == [False] * 3


def test_every_reader_says_so(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    made = factories.artifact("model")
    send(other, factories.provenance([factories.artifact("next")], [made], invocation="n"))
    gone = send(who, factories.provenance([made], [factories.artifact("only here")], invocation="r"))
    graph()
    decided = redacted(gone)
    now = as_of.resolve(str(graph()))
    digest = envelope_of(gone)
    with pytest.raises(RedactedError, match=f"Entry {decided} redacted it .*by {PERSON}: {WHY}"):
        records.envelope(digest)
    record = records.attestation(digest, now)
    assert record.redacted is not None
    assert (record.redacted.index, record.redacted.person, record.redacted.reason) == (decided, PERSON, WHY)
    assert (record.trust, record.signatures, bytes(record.payload)) == ("revoked", (), b"null")
    assert [(each.name, each.key) for each in record.subjects] == [("", key_of("model"))]
    assert [signer.name for signer in record.signers] == [who.name]
    assert record.skipped == f"Redacted by entry {decided}."
    listed = {each.index: each for each in records.listed(now).attestations}
    assert listed[gone].redacted == record.redacted
    assert all(each.redacted is None for index, each in listed.items() if index != gone)
    assert [each.index for each in records.listed(now, trust="revoked").attestations] == [gone]
    node = lineage.node(key_of("model"), now)
    assert (node.status, node.reasons) == ("unverified", ("no-attestation",))
    assert [(each.index, each.entry) for each in node.redacted] == [(decided, gone)]
    with pytest.raises(NotFoundError):
        lineage.node(key_of("only here"), now)  # it was a material: the index knows subjects alone
    alone = send(who, factories.statement(factories.artifact("alone")))
    redacted(alone)
    later = as_of.resolve(str(graph()))
    with pytest.raises(RedactedError, match="What was said of"):
        lineage.node(key_of("alone"), later)


def test_the_graph_must_have_followed(graph: Follow) -> None:
    index = send(factories.registered(), factories.statement())
    with pytest.raises(UnavailableError):
        redact.redact([envelope_of(index)], WHY, person=PERSON)
    graph()
    redact.redact([envelope_of(index)], WHY, person=PERSON)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's files are its operator's")
def test_nothing_of_it_is_left_in_the_file(graph: Follow) -> None:
    who, names = factories.registered(), [f"Ada Lovelace, patient {number}" for number in range(30)]
    gone = [
        send(who, factories.statement(factories.artifact(name), predicate={"note": name * 50}))
        for name in names
    ]
    kept = send(who, factories.statement(factories.artifact("Grace Hopper")))
    graph()
    assert b"Ada Lovelace" in in_files()
    redacted(*gone)
    graph()
    found = in_files()
    assert b"Grace Hopper" in found, "it would be found"
    assert b"Ada Lovelace" not in found
    assert stored(kept)
