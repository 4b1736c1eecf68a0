"""What a thief of the platform's key decided counts until the offline root says so, and not afterwards.

Check policies, withdrawals, incidents, holds, retention policies and redactions; in the log's views as of any
tree size and in the graph, followed entry by entry and made anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from django.test import Client

from lineage.db.models import Entry, Redaction
from lineage.errors import NotFoundError, RedactedError
from lineage.graph.check_policy import CheckPolicy, Schedule
from lineage.services import (
    artifact_decided,
    as_of,
    check_policies,
    decide,
    decide_checks,
    decide_incidents,
    erasing,
    forgetting,
    forgetting_records,
    holds,
    incidents,
    keyring,
    lineage,
    log_decisions,
    platform_keys,
    records,
    redact,
    redactions,
    retention,
    withdraw,
    withdrawals,
)
from lineage.services.append import append, raise_first
from lineage.services.clock import now_us
from lineage.trust import dsse, statement, statement_decisions
from lineage.trust.digest import sha256_hex
from lineage.trust.forgetting_decisions import Hold, Retention, RetentionClass
from lineage.trust.keys import PrivateKey
from lineage.trust.signer import Signer
from lineage.trust.statement_decisions import StatementDecision
from tests import factories
from tests.factories import PERSON
from tests.integration.projections import (
    ROOT,
    check,
    dump,
    key_of,
    observe,
    send,
    status_at,
    the_same_after_a_rebuild,
)
from tests.integration.replacing import offline_root, replace_platform
from tests.integration.test_waivers import unsafe

pytestmark = pytest.mark.usefixtures("log", "key_folder", "storage_root")

Follow = Callable[[], int]
THIEF = "os:nobody"
MADE = factories.provenance([factories.artifact("m")], [factories.artifact("d")])
DAILY = CheckPolicy(default=Schedule(full=86_400))
YEARLY = CheckPolicy(default=Schedule(full=365 * 86_400))


def digest_of(index: int) -> str:
    return Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)


def statement_of(index: int) -> str:
    return f"sha256:{Entry.objects.values_list('statement_digest', flat=True).get(pk=index)}"


def size() -> int:
    return Entry.objects.count()


def trust_of(index: int, at: int) -> str:
    entry = Entry.objects.get(pk=index)
    envelope = dsse.parse(records.envelope(entry.envelope_digest))
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    return withdrawals.entry_trust(entry, parsed, keyring.as_of(at), at)


@pytest.fixture
def root() -> PrivateKey:
    return offline_root()


def test_waivers_locations_and_levels(root: PrivateKey, graph: Follow) -> None:
    place, other = f"file://{ROOT}/m.bin", f"file://{ROOT}/n.bin"
    signer = factories.registered()
    for name in ("m", "n"):
        where = place if name == "m" else other
        send(signer, factories.statement(factories.artifact(name, downloadLocation=where)))
        observe(check(factories.sha256(name), where, "mismatch", now_us()))
        unsafe(factories.sha256(name))
    graph()
    decide_checks.waive(key_of("n"), "unsafe-format", None, "ours", person=PERSON)
    decide_checks.set_criticality(key_of("n"), "high", "it decides", person=PERSON)
    decide_checks.withdraw_location(key_of("n"), other, "moved", person=PERSON)
    before = graph()
    said = {key_of("m"): ("failed", "copy-mismatch,unsafe-format"), key_of("n"): ("verified", "")}
    assert {key: status_at(key, before) for key in said} == said
    since = now_us()
    for name, where in (("m", place), ("n", other)):
        decide_checks.waive(key_of(name), "unsafe-format", None, "ours", person=THIEF)
        decide_checks.set_criticality(key_of(name), "low", "never mind", person=THIEF)
        if name == "m":
            decide_checks.withdraw_location(key_of(name), where, "moved", person=THIEF)
    stolen = graph()
    assert status_at(key_of("m"), stolen) == ("verified", "")
    assert artifact_decided.of_node(key_of("n"), as_of.resolve(None)).level == "low"
    replace_platform(root, since)
    after = graph()
    assert {key: status_at(key, after) for key in said} == said, "what its owner had decided still counts"
    assert status_at(key_of("m"), stolen) == ("verified", ""), "what was believed then"
    levels = [artifact_decided.of_node(key, as_of.resolve(None)).level for key in said]
    assert levels == ["normal", "high"]
    assert artifact_decided.of_node(key_of("m"), as_of.resolve(None)).waiver is None
    assert artifact_decided.of_node(key_of("n"), as_of.resolve(None)).waiver is not None
    the_same_after_a_rebuild()


def test_a_check_policy(root: PrivateKey, graph: Follow) -> None:
    place = f"file://{ROOT}/m.bin"
    send(factories.registered(), factories.statement(factories.artifact("m", downloadLocation=place)))
    observe(check(factories.sha256("m"), place, "match", now_us() - 3 * 86_400_000_000))
    mine = decide_checks.set_check_policy(DAILY, person=PERSON).receipt.index
    assert status_at(key_of("m"), graph()) == ("expired", "check-overdue")
    since = now_us()
    theirs = decide_checks.set_check_policy(YEARLY, person=THIEF).receipt.index
    stolen = graph()
    assert (check_policies.current(), check_policies.index_of(size())) == (YEARLY, theirs)
    assert status_at(key_of("m"), stolen) == ("verified", "")
    replace_platform(root, since)
    after = graph()
    assert (check_policies.current(), check_policies.index_of(size())) == (DAILY, mine)
    assert check_policies.as_of(stolen) == YEARLY, "what was believed then"
    assert check_policies.as_of(theirs) == DAILY
    assert [status_at(key_of("m"), n) for n in (stolen, after)] == [
        ("verified", ""),
        ("expired", "check-overdue"),
    ]
    the_same_after_a_rebuild()
    again = decide_checks.set_check_policy(YEARLY, person=PERSON).receipt.index
    assert check_policies.index_of(graph()) == again, "it can be adopted after all"


def test_a_withdrawal(root: PrivateKey, graph: Follow) -> None:
    said = send(
        factories.registered(), factories.provenance([factories.artifact("m")], [factories.artifact("d")])
    )
    other = send(factories.registered(), factories.statement(factories.artifact("o")))
    withdraw.withdraw(statement_of(other), "mine", person=PERSON)
    before = graph()
    since = now_us()
    theirs = withdraw.withdraw(statement_of(said), "so that nobody sees it", person=THIEF).receipt.index
    stolen = graph()
    assert (trust_of(said, before), trust_of(said, stolen)) == ("signed", "revoked")
    assert status_at(key_of("m"), stolen) == ("unverified", "statement-withdrawn")
    replace_platform(root, since)
    after = graph()
    assert [trust_of(said, n) for n in (before, stolen, after)] == ["signed", "revoked", "signed"]
    assert trust_of(other, after) == "revoked", "what its owner withdrew stays so"
    assert [status_at(key_of("m"), n)[0] for n in (before, stolen, after)] == [
        "verified",
        "unverified",
        "verified",
    ]
    assert withdrawals.of(statement_of(said).removeprefix("sha256:"), theirs + 1) is not None
    the_same_after_a_rebuild()
    mine = withdraw.withdraw(statement_of(said), "it was wrong all the same", person=PERSON).receipt.index
    assert status_at(key_of("m"), graph()) == ("unverified", "statement-withdrawn")
    found = withdrawals.of(statement_of(said).removeprefix("sha256:"), size())
    assert found is not None
    assert (found.index, found.person) == (mine, PERSON)
    assert status_at(key_of("m"), after)[0] == "verified"
    the_same_after_a_rebuild()


def test_an_incident_that_a_thief_closed_is_open_again(root: PrivateKey, graph: Follow) -> None:
    send(factories.registered(), MADE)
    graph()
    data = key_of("d")
    said = decide_incidents.open_incident(data, "Poisoned", "high", "told so", person=PERSON, designates=True)
    name, before = said.receipt.digest, graph()
    since = now_us()
    decide_incidents.close_incident(name, "nothing to see", person=THIEF, clears=True)
    theirs = decide_incidents.open_incident(data, "A hoax", "low", "noise", person=THIEF).receipt.digest
    stolen = graph()
    replace_platform(root, since)
    after = graph()

    def at(tree: int) -> tuple[str, bool, int]:
        moment = as_of.resolve(str(tree))
        tainted = lineage.node(key_of("m"), moment).tainted
        return incidents.read(name, moment).incident.state, tainted, incidents.listed(moment).open

    assert [at(tree) for tree in (before, stolen, after)] == [
        ("open", True, 1),
        ("closed", False, 1),
        ("open", True, 1),
    ]
    with pytest.raises(NotFoundError):
        incidents.read(theirs, as_of.resolve(None))
    the_same_after_a_rebuild()
    again = decide_incidents.close_incident(name, "trained again", person=PERSON, clears=True)
    assert at(graph()) == ("closed", False, 0)
    assert again.created


def test_holds_and_a_retention_policy(root: PrivateKey) -> None:
    mine = holds.place(Hold("case", "a court", everything=True), person=PERSON).receipt.index
    kept = retention.adopt(Retention((RetentionClass("all", 3_650),), "law"), person=PERSON).receipt.index
    since = now_us()
    holds.release(mine, "none of your business", person=THIEF)
    theirs = holds.place(Hold("theirs", "to be in the way", everything=True), person=THIEF).receipt.index
    retention.adopt(Retention((RetentionClass("all", 1),), "quick"), person=THIEF)
    stolen = size()
    assert [each.index for each, _ in holds.standing()] == [theirs]
    assert _days() == 1
    replace_platform(root, since)
    assert [each.index for each, _ in holds.standing()] == [mine]
    assert [each.index for each, _ in holds.standing(stolen)] == [theirs]
    assert (_days(), _days(stolen)) == (3_650, 1)
    now = retention.current()
    assert now is not None
    assert now.decided.index == kept
    with pytest.raises(NotFoundError):
        holds.release(theirs, "it is none", person=PERSON)
    holds.release(mine, "the court said so", person=PERSON)
    assert holds.standing() == []


def _days(at: int | None = None) -> int | None:
    found = retention.current(at)
    return None if found is None else found.policy.classes[0].days


def decided_only(*indexes: int) -> int:
    """A redaction that is in the log, and of which nothing is carried out yet."""
    entries = list(Entry.objects.filter(pk__in=indexes))
    payload = redact.payload(entries, {}, "to hide it", THIEF)
    prepared = decide.sign(payload, keyring.current(), lambda ring, at_us: None)
    return raise_first(append([prepared])).index


def test_a_redaction_that_was_not_carried_out_never_is(root: PrivateKey, graph: Follow) -> None:
    said = send(factories.registered(), factories.statement(factories.artifact("m")))
    graph()
    since = now_us()
    theirs = decided_only(said)
    assert [each.index for each in erasing.pending()] == [theirs]
    replace_platform(root, since)
    assert erasing.pending() == []
    assert erasing.carry_out() == 0
    assert list(erasing.due(now_us())) == []
    assert records.envelope(digest_of(said))
    assert status_at(key_of("m"), graph()) == ("verified", "")
    mine = redact.redact([f"sha256:{digest_of(said)}"], "a name in it", person=PERSON).receipt.index
    told = redactions.of(digest_of(said))
    assert told is not None
    assert (told.index, told.believed) == (mine, True), "its owner may redact it"
    graph()
    the_same_after_a_rebuild()


def test_bytes_that_are_gone_stay_gone_and_nothing_turns_green(root: PrivateKey, graph: Follow) -> None:
    said = send(
        factories.registered(), factories.provenance([factories.artifact("m")], [factories.artifact("d")])
    )
    other = send(factories.registered(), factories.statement(factories.artifact("d2"), predicate={"of": "m"}))
    graph()
    since = now_us()
    theirs = redact.redact([f"sha256:{digest_of(said)}"], "to hide it", person=THIEF).receipt.index
    stolen = graph()
    assert key_of("m") not in {row[0] for row in dump()["statuses"]}, "nothing of it is left"
    replace_platform(root, since)
    after = graph()
    told = redactions.of(digest_of(said))
    assert told is not None
    assert (told.index, told.believed) == (theirs, False)
    assert "not believed any more" in told.sentence()
    assert "The bytes are gone" in told.sentence()
    before = redactions.of(digest_of(said), stolen)
    assert before is not None
    assert before.believed
    with pytest.raises(RedactedError, match="not believed any more"):
        records.envelope(digest_of(said))
    assert [each.believed for each in forgetting_records.now().redactions] == [False]
    client = Client()
    client.force_login(factories.user("officer"))
    for page in (f"/attestations/sha256:{digest_of(said)}", "/forgetting"):
        assert "not believed any more" in client.get(page).content.decode()
    assert Redaction.objects.filter(refused="").count() == 1
    with pytest.raises(RedactedError):
        redactions.refuse_again(statement_of(said).removeprefix("sha256:"))
    green = {row[0] for row in dump()["statuses"] if row[2] == -1 and row[5] == "verified"}
    assert {key for key in green if not key.startswith("key:")} == {key_of("d2")}
    assert trust_of(other, after) == "signed"
    the_same_after_a_rebuild()


def test_lost_is_not_stolen(root: PrivateKey) -> None:
    """A key that is replaced from now on has decided for its owner until now."""
    mine = decide_checks.set_check_policy(DAILY, person=PERSON).receipt.index
    replace_platform(root, now_us(), compromised=False)
    assert check_policies.index_of(size()) == mine
    assert decide_checks.set_check_policy(YEARLY, person=PERSON).receipt.index == check_policies.index_of(
        size()
    )


def withdrawal_signed_by(said: int, *keys: Signer) -> None:
    """Append a withdrawal with the signatures of these keys alone, past all that asks who may decide."""
    payload = statement_decisions.build(THIEF, now_us(), StatementDecision(statement_of(said), "hide"), "m")
    prepared = decide.sign(payload, keyring.current(), lambda ring, at_us: None)
    alone = [json.loads(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)) for key in keys]
    signatures = [one for each in alone for one in each["signatures"]]
    envelope = json.dumps(alone[0] | {"signatures": signatures}).encode()
    key_ids = tuple(sorted(each.public.key_id for each in keys))
    forged = msgspec.structs.replace(
        prepared, envelope=envelope, envelope_digest=sha256_hex(envelope), key_ids=key_ids
    )
    raise_first(append([forged]))


def test_other_signatures_beside_the_stolen_key_s_save_nothing(root: PrivateKey) -> None:
    """A thief adds the signature of a good pipeline's key: that key decides nothing."""
    pipeline = factories.registered()
    said = send(pipeline, factories.statement(factories.artifact("m")))
    since = now_us()
    withdrawal_signed_by(said, platform_keys.of(keyring.current()).platform, pipeline.private)
    value = statement_of(said).removeprefix("sha256:")
    assert withdrawals.of(value, size()) is not None
    replace_platform(root, since)
    assert withdrawals.of(value, size()) is None


def test_what_another_key_signed_is_no_decision(root: PrivateKey) -> None:
    """Whoever writes to the database and holds a pipeline's key decides nothing by it."""
    pipeline = factories.registered()
    withdrawal_signed_by(send(pipeline, factories.statement()), pipeline.private)
    (found,) = log_decisions.below(log_decisions.WITHDRAWALS)
    assert found.signer == ""
    assert withdrawals.below(size()) == ()


def test_what_is_remembered_is_what_is_read(root: PrivateKey) -> None:
    """By pieces and at once, forwards and as of the past, in one process and in another."""
    said = [send(factories.registered(), factories.statement()) for _ in range(3)]
    since = now_us()
    for index in said:
        withdraw.withdraw(statement_of(index), "w", person=THIEF)
        decide_checks.set_check_policy(CheckPolicy(default=Schedule(full=86_400 + 60 * index)), person=THIEF)
    replace_platform(root, since)
    stepped = [_state(at) for at in range(size() + 1)]
    log_decisions.forget()
    assert [_state(at) for at in reversed(range(size() + 1))] == stepped[::-1]
    assert {len(each[0]) for each in stepped} == {0, 1, 2, 3}
    assert stepped[-1][:2] == ((), None)


def _state(at: int) -> tuple[tuple[int, ...], int | None, tuple[int, ...], tuple[int, ...]]:
    return (
        tuple(each.index for each in withdrawals.below(at)),
        check_policies.index_of(at),
        tuple(each.index for each in forgetting.believed(at)),
        tuple(each.index for each in log_decisions.below(log_decisions.WITHDRAWALS, at)),
    )
