"""The ring as of any size is folded from the log's own decisions, and only from good ones."""

from __future__ import annotations

import pytest

from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import LogIntegrityError
from lineage.services import intake, keyring, records
from lineage.services.clock import now_us
from lineage.trust import dsse
from tests import factories
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log")


def test_each_size_has_the_keys_of_its_time() -> None:
    first = factories.registered()
    intake.submit(first.envelope(factories.statement()), token="t")
    second = factories.registered()
    factories.revoke(first, now_us())
    size = LogHead.objects.get(pk=1).size
    keyring.forget()
    known = [
        (first.key_id in (ring := keyring.as_of(n)).keys, second.key_id in ring.keys, bool(ring.revocations))
        for n in range(1, size + 1)
    ]
    assert known == [
        (False, False, False),
        (True, False, False),
        (True, False, False),
        (True, True, False),
        (True, True, True),
    ]


def test_a_decision_that_names_itself_as_an_earlier_one_stops() -> None:
    factories.registered()
    with lifted("log_entry"):
        Entry.objects.filter(index=1).update(policy_index=1)
    keyring.forget()
    with pytest.raises(LogIntegrityError, match="later decision"):
        keyring.current()


def test_an_attestation_in_place_of_a_decision_stops() -> None:
    signer = factories.registered()
    intake.submit(signer.envelope(factories.statement()), token="t")
    with lifted("log_head"):
        LogHead.objects.update(policy_index=2)
    keyring.forget()
    with pytest.raises(LogIntegrityError, match="is none"):
        keyring.current()


def test_a_decision_that_the_platform_did_not_sign_stops() -> None:
    """As somebody would write it who holds the database and not the platform's key."""
    signer, forger = factories.registered(), factories.signer()
    genuine = dsse.parse(records.envelope(Entry.objects.get(pk=1).envelope_digest))
    forged = forger.envelope(genuine.payload)
    digest = Entry.objects.get(pk=1).envelope_digest
    with lifted("log_envelope"):
        Envelope.objects.filter(entry__envelope_digest=digest).update(content=forged)
    keyring.forget()
    with pytest.raises(LogIntegrityError, match="not signed by the platform"):
        keyring.current()
    assert signer.key_id not in keyring.as_of(1).keys
