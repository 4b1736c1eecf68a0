"""Legal holds: what they name can't be redacted until they are released."""

from __future__ import annotations

import pytest

from lineage.db.models import Entry, Redaction
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import erasing, holds
from lineage.services.clock import now_us
from lineage.trust.forgetting_decisions import Hold
from tests import factories
from tests.factories import PERSON
from tests.integration.projections import key_of, send
from tests.integration.redacting import WHY, Follow, envelope_of, redacted, stored

pytestmark = pytest.mark.usefixtures("log", "storage_root")


def test_a_hold_keeps_what_it_names_until_it_is_released() -> None:
    who = factories.registered()
    held, free = (send(who, factories.statement(factories.artifact(name))) for name in ("held", "free"))
    placed = holds.place(
        Hold("case 7", "a court asked for it", subjects=(key_of("held"),)), person=PERSON
    ).receipt.index
    with pytest.raises(ConflictError, match=f"The hold of entry {placed} covers it"):
        redacted(held)
    redacted(free)
    assert [stored(held), stored(free)] == [True, False]
    with pytest.raises(ConflictError, match="stands already"):
        holds.place(Hold("case 7", "again", everything=True), person=PERSON)
    with pytest.raises(NotFoundError):
        holds.release(placed + 1, "no hold", person=PERSON)
    holds.release(placed, "the case is closed", person=PERSON)
    with pytest.raises(ConflictError, match="released already"):
        holds.release(placed, "again", person=PERSON)
    redacted(held)
    assert not stored(held)


@pytest.mark.parametrize(
    "hold",
    [
        Hold("", "why", everything=True),
        Hold("name", "", everything=True),
        Hold("name", "why"),
        Hold("name", "why", subjects=("a",), everything=True),
        Hold("name", "why", envelopes=("sha256:nothing",)),
    ],
    ids=["no name", "no reason", "nothing", "something and everything", "no digest"],
)
def test_a_hold_says_of_what_and_why(hold: Hold) -> None:
    with pytest.raises(MalformedError):
        holds.place(hold, person=PERSON)


@pytest.mark.parametrize("kind", ["signer", "predicate type", "envelope", "statement", "everything"])
def test_a_hold_names_entries_in_several_ways(kind: str) -> None:
    who = factories.registered()
    index = send(who, factories.statement())
    entry = Entry.objects.get(pk=index)
    hold = {
        "signer": Hold("h", "why", signers=(who.key_id,)),
        "predicate type": Hold("h", "why", predicate_types=(factories.GENERIC,)),
        "envelope": Hold("h", "why", envelopes=(envelope_of(index),)),
        "statement": Hold("h", "why", envelopes=(f"sha256:{entry.statement_digest}",)),
        "everything": Hold("h", "why", everything=True),
    }[kind]
    holds.place(hold, person=PERSON)
    with pytest.raises(ConflictError, match="hold of entry"):
        redacted(index)


def test_a_hold_that_came_first_keeps_what_a_redaction_names(graph: Follow) -> None:
    """Both were decided at the same time, and the hold's entry is the earlier one."""
    from lineage.services import decide
    from lineage.trust import forgetting_decisions
    from lineage.trust.forgetting_decisions import Redact

    index = send(factories.registered(), factories.statement())
    digest = envelope_of(index)
    payload = forgetting_decisions.build_redact(PERSON, now_us(), Redact((digest,), WHY), {digest: index})
    holds.place(Hold("case", "why", envelopes=(digest,)), person=PERSON)
    decide.record(payload, lambda ring, at_us: None)
    assert erasing.carry_out() == 0
    assert stored(index)
    assert "covers it" in Redaction.objects.get().refused
