"""What is done under cover of a redaction is named: by whoever holds the platform's key and the database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.db.models import Entry, Envelope, LogHead, Redaction
from lineage.errors import LogIntegrityError
from lineage.services import (
    decide,
    decide_signers,
    erasing,
    forgetting,
    holds,
    intake,
    log_audit,
    redactable,
    redactions,
)
from lineage.services.clock import now_us
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import Hold, Redact
from tests import chains, factories
from tests.factories import ANY, PERSON
from tests.integration.projections import send
from tests.integration.redacting import WHY, envelope_of, redacted, stored
from tests.integration.thefts import ROWS, as_thief, printed

__all__ = ["printed"]
pytestmark = pytest.mark.usefixtures("log", "storage_root")


def _signed(*indexes: int) -> int:
    """A redaction that nobody was asked about, as a stolen key signs one; returns its index."""
    named = {envelope_of(index): index for index in indexes}
    payload = forgetting_decisions.build_redact(PERSON, now_us(), Redact(tuple(named), WHY), named)
    decided = decide.record(payload, lambda ring, at_us: None).receipt.index
    assert erasing.carry_out() == 0
    return decided


def _as_if_done(index: int, decided: int) -> None:
    """The row says that the bytes of an entry might go, and they are gone."""
    _listed(index, decided)
    with as_thief():
        Envelope.objects.filter(pk=index).delete()


def _listed(index: int, decided: int) -> None:
    digest = envelope_of(index).removeprefix("sha256:")
    with as_thief():
        assert Redaction.objects.filter(envelope_digest=digest, entry_index=decided).update(refused="") == 1


def _says(what: str, expected: str) -> None:
    wrong = log_audit.audit().wrong
    ROWS.append(f"| {what} | {wrong} |")
    assert expected in wrong


def test_a_decision_s_bytes_are_gone() -> None:
    """A hold, of which nobody knows any more what it covers: it would hold nothing."""
    place = holds.place(Hold("case 7", "a court asked for it", everything=True), person=PERSON)
    placed = place.receipt.index
    _as_if_done(placed, _signed(placed))
    forgetting.forget()
    _says(
        "a decision's envelope taken away under a signed redaction that names it",
        f"the envelope of entry {placed} is missing, and no decision redacted it",
    )
    with pytest.raises(LogIntegrityError, match="no decision redacted it"):
        raise redactions.missing(envelope_of(placed).removeprefix("sha256:"), placed)


def test_what_a_hold_covers_is_gone() -> None:
    index = send(factories.registered(), factories.statement())
    holds.place(Hold("case 7", "a court asked for it", envelopes=(envelope_of(index),)), person=PERSON)
    decided = _signed(index)
    assert log_audit.audit().wrong == ""
    _as_if_done(index, decided)
    _says(
        "an envelope that a hold covers taken away under a signed redaction that names it",
        f"the envelope of entry {index} is missing, and no decision redacted it",
    )


def test_what_is_listed_as_gone_is_there() -> None:
    index = send(factories.registered(), factories.statement())
    holds.place(Hold("case 7", "a court asked for it", everything=True), person=PERSON)
    _listed(index, _signed(index))
    _says("an entry listed as redacted that is there", f"entry {index} is listed as redacted, but its")


def test_what_went_by_a_later_decision_is_no_damage(graph: Callable[[], int]) -> None:
    """A hold kept the first one from being carried out; it was released, and somebody decided again."""
    index = send(factories.registered(), factories.statement())
    digest = envelope_of(index).removeprefix("sha256:")
    hold = holds.place(Hold("case 7", "a court asked for it", everything=True), person=PERSON)
    first = _signed(index)
    holds.release(hold.receipt.index, "the case is closed", person=PERSON)
    graph()
    again = redacted(index)
    assert not stored(index)
    assert redactable.taken([digest]) == {digest: again}
    assert (log_audit.audit().wrong, log_audit.audit().redacted) == ("", 1)
    # As older restores wrote it: the first decision that names it.
    with as_thief():
        Redaction.objects.filter(envelope_digest=digest).delete()
        Redaction.objects.create(envelope_digest=digest, entry_index=first, done_us=0)
    assert (log_audit.audit().wrong, log_audit.audit().redacted) == ("", 1)
    assert Entry.objects.count() == LogHead.objects.get(pk=1).size


def test_what_is_left_of_who_signed_is_the_leaf_s(graph: Callable[[], int]) -> None:
    who, other = factories.registered(), factories.registered()
    index = send(who, factories.statement())
    for signer in (who, other):
        send(signer, factories.statement(factories.artifact("another")))
    redacted(index)
    assert log_audit.audit().wrong == ""
    with as_thief() as steal:
        steal(
            "UPDATE log_entry_signer SET signer_id = (SELECT id FROM log_signer WHERE key_id = %s)"
            " WHERE entry_id = %s",
            other.key_id,
            index,
        )
    _says("a redacted entry's signer altered", f"entry {index} is listed under other signers than it has")
    with as_thief() as steal:
        steal("DELETE FROM log_entry_signer WHERE entry_id = %s", index)
    _says("a redacted entry's signer deleted", f"entry {index} is listed under other signers than it has")


def test_of_an_identity_s_entry_no_key_is_left(graph: Callable[[], int]) -> None:
    ca = chains.authority("our signing CA")
    who = "spiffe://example.com/trainer"
    root = decide_signers.adopt_root(ca.pem, "x509", "our signing CA", person=PERSON).receipt.subjects[0]
    decide_signers.register_identity("", who, root.digest["sha256"], "trainer", ANY, person=PERSON)
    envelope = chains.holder("trainer", ca, uri=who).envelope(factories.statement())
    index = intake.submit(envelope, token="t").receipt.index
    graph()
    redacted(index)
    assert (log_audit.audit().wrong, log_audit.audit().redacted) == ("", 1)
