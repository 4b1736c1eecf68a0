"""The platform's own keys change in a real log: rotation, the offline root, replacement, by the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from lineage.cli.main import run
from lineage.config import current
from lineage.db.models import Checkpoint, Entry
from lineage.errors import ConfigurationError, LogIntegrityError, SignerUnknownError
from lineage.services import (
    as_of,
    bootstrap,
    decide,
    decision_records,
    intake,
    keyring,
    observe,
    own_keys,
    platform_keys,
    project,
    publish,
    records,
    withdrawals,
)
from lineage.services.append import append, raise_first
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us
from lineage.services.log_keys import LogKeys
from lineage.trust import checkpoint as notes
from lineage.trust import decisions, dsse, statement
from lineage.trust.keys import load_private
from lineage.trust.leaf import rfc3339
from lineage.trust.platform_decisions import OwnRole
from lineage.trust.policy import Registration, Scopes
from tests import factories
from tests.integration.projections import dump, key_of, send, status_at
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log", "key_folder")

ROLES: tuple[OwnRole, ...] = ("log", "platform", "collector", "reverifier")
CHECK = "urn:lineage:predicate:check:v1"


def result(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def failure(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    capsys.readouterr()
    assert run(arguments) == code
    return capsys.readouterr().err


def key_id(path: Path) -> str:
    text = path.read_bytes()
    return load_private(text[text.index(b"-----BEGIN") :]).public.key_id


def check_all_works() -> None:
    """Every role signs under the key that the log names, and what it signs is taken."""
    ring = keyring.current()
    for role in ROLES:
        holder = ring.holder(role)
        assert holder is not None
        assert key_id(current().keys / f"{role}.pem") == holder.key_id
    bootstrap.ensure()
    signer = factories.registered()
    intake.submit(signer.envelope(factories.statement()), token="t")
    row = {"digest": f"sha256:{factories.sha256('x')}"}
    raise_first(
        append([observe.prepare("reverifier", CHECK, [f"sha256:{factories.sha256('x')}"], {"rows": [row]})])
    )
    assert publish.publish_once() is not None


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_rotated_twice(role: OwnRole, capsys: pytest.CaptureFixture[str], key_folder: Path) -> None:
    publish.publish_once()
    first = key_id(key_folder / f"{role}.pem")
    for _ in range(2):
        before = key_id(key_folder / f"{role}.pem")
        found = result(capsys, "keys", "rotate-platform", role)
        assert found["key_id"] == key_id(key_folder / f"{role}.pem") != before
        assert key_id(key_folder / f"{role}.previous.pem") == before
        assert not (key_folder / f"{role}.next.pem").exists()
        assert Entry.objects.get(pk=found["entry"]["index"]).key_ids != found["key_id"]
        check_all_works()
    assert keyring.as_of(1).holder(role) == keyring.current().keys[first].key
    keyring.forget()
    check_all_works()


def test_who_rotated_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    entry = result(capsys, "keys", "rotate-platform", "collector")["entry"]
    (row,) = [each for each in decision_records.listed(_now()).decisions if each.index == entry["index"]]
    assert (row.action, row.person.startswith("os:")) == ("rotate-platform-key", True)


def _now() -> AsOf:
    now = as_of.resolve(None)
    return replace(now, size=now.head)


def test_a_process_that_remembers_the_old_keys_finds_the_new() -> None:
    """As a web process beside the command: it prepared statements before, and appends them after."""
    ring = keyring.current()
    row = {"digest": f"sha256:{factories.sha256('x')}"}
    observed = observe.prepare("reverifier", CHECK, [row["digest"]], {"rows": [row]})
    old = platform_keys.of(ring)
    for role in ROLES:
        own_keys.rotate(role, person="p")
    entry = raise_first(append([observed]))
    assert (
        entry.key_ids == (platform_keys.load().reverifier.public.key_id,) != (old.reverifier.public.key_id,)
    )
    assert decide.sign(_decision(), keyring.current(), lambda r, t: None).key_ids == (
        platform_keys.load().platform.public.key_id,
    )


def _decision() -> bytes:
    return decisions.build("waive", "p", 0, body={}, subjects=[("x", {"sha256": "ab" * 32})])


def test_what_the_old_platform_key_signs_afterwards_stops(key_folder: Path) -> None:
    """As somebody would try who has the old key and the database."""
    old = platform_keys.load().platform
    own_keys.rotate("platform", person="p")
    thief = factories.signer()
    registration = Registration(thief.private.public, "n", Scopes(any=True), None, None, 0, 0)
    forged = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, decisions.build_register_key("p", 0, registration), old)
    with pytest.raises(LogIntegrityError, match="not signed by the platform"):
        keyring.fold(keyring.current(), 9, forged, now_us())


def test_the_log_key_is_rotated_with_an_overlap(capsys: pytest.CaptureFixture[str]) -> None:
    publish.publish_once()
    old = result(capsys, "log", "key")["verifier_key"]
    index = result(capsys, "keys", "rotate-platform", "log", "--overlap", "1h")["entry"]["index"]
    found = result(capsys, "log", "key", "--all")
    new = found["verifier_key"]
    assert [(each["verifier_key"], each["since"]) for each in found["keys"]] == [(new, index), (old, 0)]
    assert found["keys"][1]["not_after"]
    made = publish.publish_once()
    assert made is not None
    for known in (old, new):
        assert notes.verify(bytes(made.note), known).size == made.size
    assert run(["log", "key", "--all"]) == 0
    assert "VERIFIER KEY" in capsys.readouterr().out


def test_without_an_overlap_the_old_log_key_signs_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    publish.publish_once()
    old = publish.verifier_key()
    result(capsys, "keys", "rotate-platform", "log", "--overlap", "0s")
    made = publish.publish_once()
    assert made is not None
    with pytest.raises(SignerUnknownError):
        notes.verify(bytes(made.note), old)
    factories.registered()
    assert publish.publish_once() is not None
    assert Checkpoint.objects.count() == 3


def test_an_old_log_key_signs_no_checkpoint_that_covers_its_end() -> None:
    old = platform_keys.load()
    own_keys.rotate("log", person="p", overlap_us=0)
    made = publish.publish_once()
    assert made is not None
    said = notes.Checkpoint(old.origin, made.size, bytes.fromhex(made.root_hash))
    factories.registered()
    with lifted("log_checkpoint"):
        Checkpoint.objects.update(note=notes.sign(said, old.log))
    with pytest.raises(LogIntegrityError, match="does not verify"):
        publish.publish_once()
    earlier = notes.sign(notes.Checkpoint(old.origin, 1, bytes(32)), old.log)
    assert LogKeys(old.origin, keyring.current()).verify(earlier, 1).size == 1


# The offline root.


@pytest.fixture
def root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The registered root's private key, made elsewhere."""
    path = tmp_path / "root.pem"
    made = result(capsys, "keys", "generate", "--out", str(path))
    found = result(capsys, "keys", "root", "--public-key", f"{path}.pub", "--name", "root in the safe")
    assert found["key_id"] == made["key_id"]
    return path


def sign_replacement(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, root: Path, role: str, since: str, replaces: str = ""
) -> Path:
    new, out = tmp_path / f"{role}-next.pub", tmp_path / f"{role}.replacement"
    prepared = result(capsys, "keys", "prepare", role, "--out", str(new), "--replaces", replaces)
    assert (
        prepared["key_id"]
        in result(
            capsys,
            *("keys", "replacement", "--role", role, "--new-public-key", str(new), "--root-key", str(root)),
            *("--out", str(out), "--from", since, "--reason", "the server was broken into"),
        ).values()
    )
    return out


@pytest.mark.parametrize("role", ROLES)
def test_the_root_replaces_a_stolen_key(
    role: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    publish.publish_once()
    old = key_id(key_folder / f"{role}.pem")
    file = sign_replacement(capsys, tmp_path, root, role, "now")
    found = result(capsys, "keys", "replace", str(file))
    assert found["key_id"] == key_id(key_folder / f"{role}.pem") != old
    entry = Entry.objects.get(pk=found["entry"]["index"])
    assert entry.key_ids == key_id(root)
    client = Client()
    client.force_login(factories.user("officer"))
    page = client.get(f"/attestations/sha256:{entry.envelope_digest}").content.decode()
    assert "replace-platform-key" in page
    assert "the server was broken into" in page
    for node in (old, found["key_id"], key_id(root)):
        assert client.get(f"/keys/{node}").status_code == 200
    ring = keyring.current()
    (revocation,) = ring.effective[old]
    assert (revocation.compromised, revocation.reason) == (True, "the server was broken into")
    check_all_works()
    again = result(capsys, "keys", "replace", str(file))
    assert again["entry"]["index"] == entry.index
    made = Checkpoint.objects.order_by("-size").first()
    assert made is not None
    if role == "log":
        stolen = [each.verifier_key for each in publish.verifier_keys() if each.revoked]
        assert len(stolen) == 1
        with pytest.raises(SignerUnknownError):
            notes.verify(bytes(made.note), stolen[0])


def test_a_thief_of_the_platform_key_loses_everything(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    own = key_id(key_folder / "platform.pem")
    pipeline = factories.registered()
    before = intake.submit(pipeline.envelope(factories.statement()), token="t").receipt
    since = now_us()
    thief = factories.registered(name="thief")
    said = intake.submit(thief.envelope(factories.statement()), token="t").receipt
    factories.revoke(pipeline, since, compromised=True)
    own_keys.rotate("collector", person="thief")
    own_keys.rotate("platform", person="thief")
    second = factories.registered(name="thief again")
    # The thief's key holds the role now, so the owners name their own.
    file = sign_replacement(capsys, tmp_path, root, "platform", rfc3339(since), replaces=own)
    found = result(capsys, "keys", "replace", str(file))
    assert [each["action"] for each in found["fallen"]] == [
        "register-key",
        "revoke-key",
        "rotate-platform-key",
        "rotate-platform-key",
        "register-key",
    ]
    ring, now = keyring.current(), now_us()
    assert ring.in_force(pipeline.key_id, now) is None
    for gone in (thief.key_id, second.key_id):
        assert "not its owner's" in str(ring.in_force(gone, now))
    trust = {
        receipt.index: withdrawals.entry_trust(*_entry(receipt.index), ring, now_size())
        for receipt in (before, said)
    }
    assert trust == {before.index: "signed", said.index: "revoked"}
    check_all_works()
    keyring.forget()
    check_all_works()


def now_size() -> int:
    return Entry.objects.count()


def _entry(index: int) -> tuple[Entry, Any]:
    entry = Entry.objects.get(pk=index)
    envelope = dsse.parse(records.envelope(entry.envelope_digest))
    return entry, statement.parse(envelope.payload_type, envelope.payload)


# What is refused.


def test_a_replacement_by_somebody_else_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.pem"
    result(capsys, "keys", "generate", "--out", str(other))
    file = sign_replacement(capsys, tmp_path, other, "platform", "now")
    size = now_size()
    assert "not signed by this log's offline root" in failure(capsys, "keys", "replace", str(file))
    assert now_size() == size


def test_without_a_root_nothing_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.pem"
    result(capsys, "keys", "generate", "--out", str(other))
    file = sign_replacement(capsys, tmp_path, other, "platform", "now")
    assert "no offline root" in failure(capsys, "keys", "replace", str(file))


def test_the_root_is_replaced_by_itself_alone(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, out = tmp_path / "root2.pem", tmp_path / "root.replacement"
    made = result(capsys, "keys", "generate", "--out", str(new))
    public = ("--public-key", f"{new}.pub")
    assert "replaced by itself alone" in failure(capsys, "keys", "root", *public)
    words = failure(
        capsys,
        *("keys", "replacement", "--role", "root", "--new-public-key", f"{new}.pub", "--root-key", str(root)),
        *("--out", str(out), "--from", "now", "--reason", "its planned end", "--lost"),
        code=3,
    )
    assert "does not say its origin" in words
    result(
        capsys,
        *("keys", "replacement", "--role", "root", "--new-public-key", f"{new}.pub", "--root-key", str(root)),
        *("--out", str(out), "--from", "now", "--reason", "its planned end", "--lost"),
        *("--origin", platform_keys.load().origin, "--old-key", key_id(root)),
    )
    result(capsys, "keys", "replace", str(out))
    holder = keyring.current().holder("root")
    assert holder is not None
    assert holder.key_id == made["key_id"]
    check_all_works()


def test_a_key_that_is_not_here_takes_over_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    file = sign_replacement(capsys, tmp_path, root, "platform", "now")
    (key_folder / "platform.next.pem").unlink()
    assert "lineage keys prepare platform" in failure(capsys, "keys", "replace", str(file))
    check_all_works()


def test_a_replacement_for_another_log_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, out = tmp_path / "next.pub", tmp_path / "out"
    result(capsys, "keys", "prepare", "platform", "--out", str(new))
    new.write_text(new.read_text().replace("origin: lineage/", "origin: another/"))
    result(
        capsys,
        *("keys", "replacement", "--role", "platform", "--new-public-key", str(new)),
        *("--root-key", str(root), "--out", str(out), "--from", "now", "--reason", "r"),
    )
    assert "another one" in failure(capsys, "keys", "replace", str(out))
    args = ("--root-key", str(root), "--out", str(out), "--from", "now", "--reason", "r")
    assert "exists already" in failure(
        capsys, "keys", "replacement", "--role", "platform", "--new-public-key", str(new), *args
    )
    words = failure(
        capsys, "keys", "replacement", "--role", "log", "--new-public-key", str(new), *args, code=3
    )
    assert "the new key's file says role" in words.lower()


def test_a_key_that_was_lost_is_replaced_by_the_platform(
    capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    for role in ("log", "collector", "reverifier"):
        publish.publish_once()
        origin = platform_keys.load().origin
        (key_folder / f"{role}.pem").unlink()
        platform_keys.forget()
        with pytest.raises(ConfigurationError, match=f"{role}.pem"):
            bootstrap.ensure()
        result(capsys, "keys", "rotate-platform", role)
        assert platform_keys.load().origin == origin
        check_all_works()


def test_a_lost_platform_key_needs_the_root(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    (key_folder / "platform.pem").unlink()
    platform_keys.forget()
    assert "platform.pem" in failure(capsys, "keys", "rotate-platform", "platform", code=3)
    file = sign_replacement(capsys, tmp_path, root, "platform", "now")
    result(capsys, "keys", "replace", str(file))
    check_all_works()


def test_a_key_that_can_not_get_its_place_gets_it_at_the_next_start(
    capsys: pytest.CaptureFixture[str], key_folder: Path
) -> None:
    blocked = key_folder / "collector.previous.pem"
    blocked.mkdir()
    assert "can't get its place" in failure(capsys, "keys", "rotate-platform", "collector", code=3)
    holder = keyring.current().holder("collector")
    assert holder is not None
    assert key_id(key_folder / "collector.next.pem") == holder.key_id
    blocked.rmdir()
    bootstrap.ensure()
    check_all_works()


# What follows in the graph.


def test_statuses_follow_what_the_root_undoes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], graph: Callable[[], int], key_folder: Path
) -> None:
    own = key_id(key_folder / "platform.pem")
    pipeline = factories.registered()
    good, bad = factories.artifact(), factories.artifact()
    send(pipeline, factories.statement(good))
    before = graph()
    since = now_us()
    thief = factories.registered(name="thief")
    send(thief, factories.statement(bad))
    factories.revoke(pipeline, since - 3_600_000_000, compromised=True)
    during = graph()
    file = sign_replacement(capsys, tmp_path, root, "platform", rfc3339(since), replaces=own)
    result(capsys, "keys", "replace", str(file))
    after = graph()
    assert [status_at(key_of(good["name"]), size) for size in (before, during, after)] == [
        ("verified", ""),
        ("unverified", "signer-revoked"),
        ("verified", ""),
    ]
    assert [status_at(key_of(bad["name"]), size) for size in (during, after)] == [
        ("verified", ""),
        ("unverified", "signer-revoked"),
    ]
    ring = keyring.current()
    new = ring.holder("platform")
    assert new is not None
    keys = {f"key:{pipeline.key_id}": "verified", f"key:{thief.key_id}": "failed", f"key:{own}": "failed"}
    for node, status in {**keys, f"key:{new.key_id}": "verified"}.items():
        assert status_at(node, after)[0] == status, node
    followed = dump()
    project.rebuild()
    assert dump() == followed
