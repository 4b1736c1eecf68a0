"""Witnesses: asked over real HTTP, verified, kept, served, never believed and never waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from django.db import DatabaseError, connection, transaction
from django.test import Client

from lineage import config, witness_settings
from lineage.cli.log import command as log_command
from lineage.db.models import Checkpoint, Cosignature, Entry, Job
from lineage.errors import ConfigurationError
from lineage.net import witness as net_witness
from lineage.services import condition, intake, job_kinds, jobs, proofs, publish, sightings, witnesses
from lineage.services.clock import now_us
from lineage.trust import checkpoint, cosignature
from lineage.trust.tlog_proof import read
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file
from lineage.witness_settings import Witness
from tests import factories, hostile_http
from tests.witness_server import TestWitness, running

pytestmark = pytest.mark.usefixtures("log")


def grow(count: int = 1) -> Checkpoint:
    signer = factories.registered()
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(count)], token="t")
    made = publish.publish_once()
    assert made is not None
    return made


@pytest.fixture
def witness() -> Iterator[TestWitness]:
    seconds = now_us() // 1_000_000
    with running(TestWitness(seconds, log_key=publish.verifier_key())) as made:
        yield made


@pytest.fixture(autouse=True)
def _anew() -> None:
    sightings.forget()


def asked(monkeypatch: pytest.MonkeyPatch, key: str, url: str) -> Witness:
    one = Witness(key, url)
    settings = replace(config.current(), witnesses=(one,), private_networks=("127.0.0.0/8",))
    monkeypatch.setattr(witnesses, "current", lambda: settings)
    return one


def test_each_checkpoint_is_cosigned_kept_and_served(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    for count in (1, 6, 260, 3):
        made = grow(count)
        assert witnesses.ask(one) == made.size == witness.seen[0]
        assert witness.seen[1].hex() == made.root_hash
    assert set(witness.answers) == {200}
    served = client.get("/log/checkpoint").content
    assert served == bytes(made.note) + witnesses.cosignatures(made.size)[0]
    assert checkpoint.verify(served, publish.verifier_key()).size == made.size
    (found,) = cosignature.verified(served, [cosignature.parse_witness_key(witness.verifier_key)])
    assert found.at_us == witness.seconds * 1_000_000
    assert witnesses.newest_witnessed() == (made.size, [witness.name], found.at_us)
    assert list(witnesses.due(now_us())) == []


def test_a_witness_that_knows_more_than_we_remember_is_asked_from_there(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    first = grow(5)
    witness.seen = (first.size, bytes.fromhex(first.root_hash))
    made = grow(9)
    assert witnesses.ask(one) == made.size
    assert witness.answers == [409, 200]


@pytest.mark.parametrize("size", ["greater", "same", "smaller"])
def test_a_witness_that_saw_another_log_raises_the_alarm(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    made = grow(5)
    witness.seen = (made.size + {"greater": 3, "same": 0, "smaller": -1}[size], b"\x07" * 32)
    assert witnesses.ask(one) == 0
    (state,) = witnesses.states()
    assert state.contradicts
    condition_says = {each.name: each for each in condition.services(sightings.look())}["witnesses"]
    assert condition_says.state == condition.DOWN
    assert f"{witness.name} contradicts this log" in condition_says.reason
    assert witness.name in state.error
    witness.name = "gone"
    assert witnesses.ask(one) == 0
    assert witnesses.states()[0].contradicts


def _answers() -> dict[str, tuple[hostile_http.Answer, str]]:
    plain = hostile_http.answer
    return {
        "not-a-line": (plain(b"yes\n"), "signature line"),
        "huge": (plain(b"x" * 100_000), "more than"),
        "redirect": (plain(b"", "302 Found", "Location: http://127.0.0.1:1/"), "302"),
        "no-size": (plain(b"many\n", "409 Conflict"), "409"),
        "loop": (plain(b"1\n", "409 Conflict"), "another tree"),
        "unknown": (plain(b"", "404 Not Found"), "does not know this log"),
        "cut": (plain(b"x", length=50), "reached"),
        "nothing": (b"", "reached"),
    }


@pytest.mark.parametrize("kind", list(_answers()))
def test_what_no_witness_answers_is_told_and_not_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said, words = _answers()[kind]
    grow(3)
    with hostile_http.hostile(lambda number, request: said) as server:
        one = asked(monkeypatch, TestWitness(1).verifier_key, server.url)
        assert witnesses.ask(one) == 0
        assert len(server.requests) <= witnesses.MAX_ASKS
    (state,) = witnesses.states()
    assert words in state.error
    assert state.failures == 1
    assert not state.contradicts
    assert not Cosignature.objects.exists()
    assert list(witnesses.due(now_us())) == []  # left alone for a while
    assert [key for key, _ in witnesses.due(now_us() + 60_000_000)] == [one.key]


@pytest.mark.parametrize("wrong", ["time", "key", "text"])
def test_a_wrong_cosignature_is_not_kept(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    grow(2)
    if wrong == "time":
        witness.seconds -= 3600
    elif wrong == "key":
        hashed, other = witness.hashed, TestWitness(witness.seconds)
        monkeypatch.setattr(TestWitness, "hashed", hashed)
        witness.key = other.key
    else:
        good = witness.cosign
        witness.cosign = lambda body: good(body + "more\n")  # type: ignore[method-assign]
    assert witnesses.ask(one) == 0
    assert witness.answers == [200]
    assert not Cosignature.objects.exists()
    assert witnesses.states()[0].error


def test_a_job_asks_whoever_is_behind_and_nothing_waits_for_it(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(monkeypatch, witness.verifier_key, witness.url)
    made = grow()
    kinds = [kind for kind in job_kinds.KINDS if kind.name == witnesses.KIND]
    assert witnesses.cosignatures(made.size) == []
    for _ in range(2):
        jobs.enqueue_recurring(kinds)
    assert Job.objects.filter(kind=witnesses.KIND).count() == 1
    assert jobs.drain("w", kinds=kinds) == 1
    assert len(witnesses.cosignatures(made.size)) == 1
    assert jobs.enqueue_recurring(kinds) == 0


@pytest.mark.parametrize(
    "text",
    [
        "w",
        "w http://x",
        "{key}",
        "{key} ftp://x",
        "{key} http://u@x",
        "{key} http://x?a",
        "{key} http://x,{key} http://y",
    ],
    ids=["name", "no-key", "no-url", "scheme", "user", "query", "twice"],
)
def test_the_setting_is_read_strictly(text: str) -> None:
    key = TestWitness(1).verifier_key
    with pytest.raises(ConfigurationError, match="LINEAGE_WITNESSES"):
        witness_settings.read(text.format(key=key))


def test_the_setting_names_keys_and_addresses() -> None:
    one, other = TestWitness(1), TestWitness(1, name="witness.example/w2")
    found = witness_settings.read(
        f"{one.verifier_key} https://a.example/w/, {other.verifier_key}  http://b:8080"
    )
    assert [(each.name, each.url) for each in found] == [
        (one.name, "https://a.example/w"),
        (other.name, "http://b:8080"),
    ]


def test_the_command_lists_them(witness: TestWitness, monkeypatch: pytest.MonkeyPatch) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    made = grow()
    witnesses.ask(one)
    told = CliRunner().invoke(log_command, ["witnesses", "--json"])
    assert told.exit_code == 0, told.output
    (row,) = json.loads(told.output)
    assert (row["name"], row["size"], row["contradicts"], row["error"]) == (one.name, made.size, False, "")


def test_a_slow_answer_ends_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, each of them in time; the head is bounded likewise."""
    monkeypatch.setattr(net_witness, "WHOLE_SECONDS", 0.3)
    grow()

    def drip(number: int, request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n"
        while not server.released.wait(0.05):
            yield b"x"

    with hostile_http.hostile(drip) as server:
        one = asked(monkeypatch, TestWitness(1).verifier_key, server.url)
        assert witnesses.ask(one) == 0
    assert "too slowly" in witnesses.states()[0].error


def test_no_private_address_is_asked_that_is_not_allowed(
    witness: TestWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    settings = replace(config.current(), witnesses=(one,), private_networks=())
    monkeypatch.setattr(witnesses, "current", lambda: settings)
    grow()
    assert witnesses.ask(one) == 0
    assert "private address" in witnesses.states()[0].error
    assert witness.answers == []


def test_what_is_kept_is_never_changed(witness: TestWitness, monkeypatch: pytest.MonkeyPatch) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    grow()
    assert witnesses.ask(one)
    for statement in ("DELETE FROM log_cosignature", "UPDATE log_cosignature SET at_us = 1"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(statement)


def test_a_proof_says_who_cosigned(witness: TestWitness, monkeypatch: pytest.MonkeyPatch) -> None:
    one = asked(monkeypatch, witness.verifier_key, witness.url)
    cosigned = grow(3)
    assert witnesses.ask(one)
    grow(2)  # newer, and not cosigned yet
    entry = Entry.objects.get(pk=2)
    proof = proofs.of_envelope(f"sha256:{entry.envelope_digest}")
    assert checkpoint.verify(read(proof).note, publish.verifier_key()).size == cosigned.size
    keys = (publish.verifier_key(),)
    other = TestWitness(1, name="witness.example/other").verifier_key
    given = Given(now_us(), log_keys=keys, witnesses=(witness.verifier_key,))
    verdict = verify_file(proof, given)
    assert verdict.outcome is Outcome.VERIFIED
    assert [each["name"] for each in verdict.facts["witnesses"]] == [witness.name]  # type: ignore[attr-defined]
    both = replace(given, witnesses=(witness.verifier_key, other))
    assert verify_file(proof, both).outcome is Outcome.INCONCLUSIVE
    assert verify_file(proof, replace(both, quorum=1)).outcome is Outcome.VERIFIED
    newest = proofs.of_envelope(f"sha256:{Entry.objects.order_by('-index')[0].envelope_digest}")
    assert verify_file(newest, given).outcome is Outcome.INCONCLUSIVE
    line = witnesses.cosignatures(cosigned.size)[0]
    bad = proof.replace(line, line[:60] + (b"A" if line[60:61] != b"A" else b"B") + line[61:])
    assert bad != proof
    assert verify_file(bad, given).outcome is Outcome.REFUTED
