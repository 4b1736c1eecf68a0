"""A log that goes on under another name: the first checkpoint, proofs from before and after, witnesses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineage import config
from lineage.db.models import Checkpoint, LogHead
from lineage.errors import RollbackError
from lineage.services import (
    high_water,
    platform_keys,
    proofs,
    publish,
    witnesses,
)
from lineage.services.clock import now_us
from lineage.trust import checkpoint as notes
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file
from lineage.witness_settings import Witness
from tests.integration import rolled_back
from tests.integration.lost_logs import (
    audited,
    begin,
    grown,
    name_of,
    origin,
    published,
    submit,
    water,
)
from tests.witness_server import TestWitness, running

__all__ = ["water"]
pytestmark = pytest.mark.usefixtures("log", "water")


def test_the_first_checkpoint_covers_the_decision_whatever_was_unpublished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Entries were acknowledged and not published when the backup was made: more than a round takes."""
    monkeypatch.setattr(publish, "MAX_ENTRIES_A_ROUND", 10)
    kept = grown(2)
    submit(300)
    size = LogHead.objects.get(pk=1).size
    while (made := publish.publish_once()) is not None:
        high_water.keep(made)
    submit(5)
    while (made := publish.publish_once()) is not None:
        high_water.keep(made)
    rolled_back.roll_back(size, published=kept.size)
    with pytest.raises(RollbackError):
        publish.publish_once()
    index = begin()
    assert index == size
    submit(30)
    first = published()
    assert (first.size, name_of(first)) == (index + 1, f"{origin()}/epoch-2")
    second = published()
    assert (second.size, name_of(second)) == (index + 11, f"{origin()}/epoch-2")
    names = {each.size: name_of(each) for each in Checkpoint.objects.all()}
    assert {size for size, name in names.items() if name == origin()} == {
        each for each in names if each <= kept.size
    }
    audited()


def test_proofs_from_before_and_after_are_verified_offline_and_say_so() -> None:
    (digest,) = submit()
    published()
    early, old = proofs.of_envelope(digest), publish.verifier_key()
    kept = grown(2)
    (gone,) = submit()
    published()
    lost_proof = proofs.of_envelope(gone)
    rolled_back.roll_back(kept.size)
    begin()
    (fresh,) = submit()
    published()
    new = publish.verifier_key()
    assert new.split("+")[0] == f"{old.split('+')[0]}/epoch-2"

    def judged(proof: bytes, *keys: str) -> tuple[Outcome, str]:
        verdict = verify_file(proof, Given(0, log_keys=keys))
        return verdict.outcome, " ".join(verdict.reasons)

    outcome, _ = judged(early, old)
    assert outcome is Outcome.VERIFIED
    outcome, words = judged(proofs.of_envelope(digest), old)
    assert outcome is Outcome.INCONCLUSIVE
    assert "epoch 2" in words
    assert new in words
    for proof in (proofs.of_envelope(digest), proofs.of_envelope(fresh)):
        outcome, words = judged(proof, new)
        assert outcome is Outcome.VERIFIED
        assert "is in epoch 2" in words
    outcome, words = judged(lost_proof, old, new)
    assert outcome is Outcome.VERIFIED  # it was in the tree of epoch 1, which the log says that it lost
    assert "only a proof of epoch 2 shows" in words
    outcome, words = judged(lost_proof, new)
    assert outcome is Outcome.INCONCLUSIVE
    assert "among those that were lost" in words


def test_a_witness_takes_the_new_name_and_would_have_refused_the_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(TestWitness(now_us() // 1_000_000, log_key=publish.verifier_key())) as witness:
        one = Witness(witness.verifier_key, witness.url)
        settings = replace(config.current(), witnesses=(one,), private_networks=("127.0.0.0/8",))
        monkeypatch.setattr(witnesses, "current", lambda: settings)
        kept = grown(4)
        assert witnesses.ask(one) == kept.size
        lost = grown(3)
        assert witnesses.ask(one) == lost.size
        rolled_back.roll_back(kept.size)
        begin()
        made = grown(5)
        # The same tree under the old name: the witness finds that it does not extend what it saw.
        log = platform_keys.load().log
        forged = notes.sign(notes.Checkpoint(origin(), made.size, bytes.fromhex(made.root_hash)), log)
        body = witnesses.request(kept.size, made).rpartition(bytes(made.note))[0] + forged
        assert witness.add(body)[0] == 409
        again = witnesses.request(lost.size, made).rpartition(bytes(made.note))[0] + forged
        assert witness.add(again)[0] == 422
        # Under the new name it knows nothing until somebody there has taken in the new key.
        assert witnesses.ask(one) == 0
        assert witness.answers[-1] == 404
        witness.other_keys.append(publish.verifier_key())
        assert witnesses.ask(one) == made.size
        later = grown(2)
        assert witnesses.ask(one) == later.size
        assert witness.answers[-2:] == [200, 200]
        assert witness.trees[f"{origin()}/epoch-2"][0] == later.size
        assert witness.seen[0] == lost.size
