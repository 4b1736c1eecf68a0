"""Cosignatures that were kept are verified again: in the tables, and when an archive is restored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lineage import config
from lineage.db.models import Checkpoint, Cosignature, Entry
from lineage.errors import LogIntegrityError
from lineage.services import kept_cosignatures, publish, restore, restore_keys
from lineage.services.clock import now_us
from lineage.witness_settings import Witness
from tests.integration.backups import Installation
from tests.witness_keys import Cosigner

SECONDS = now_us() // 1_000_000
ONE = Cosigner("witness.example/w1", b"\x01" * 32, 4)
TWO = Cosigner("witness.example/w2", b"\x02" * 32, 6)
FORGED = Cosigner("witness.example/w1", b"\x03" * 32, 4)


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    named = tuple(Witness(each.verifier_key, "http://127.0.0.1:1") for each in (ONE, TWO))
    settings = replace(config.current(), witnesses=named)
    monkeypatch.setattr(kept_cosignatures, "current", lambda: settings)


def row(by: Cosigner, body: bytes, size: int, **columns: object) -> Cosignature:
    """As it is kept of the checkpoint of that size, whose text is `body`."""
    made = Cosignature(
        size=size,
        witness=by.name,
        key_hash=by.hashed.hex(),
        line=by.line(body, SECONDS),
        at_us=SECONDS * 1_000_000,
    )
    for name, value in columns.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def checkpoint(log: None) -> Checkpoint:
    made = publish.publish_once()
    assert made is not None
    return made


def body_of(note: bytes) -> bytes:
    return note.rpartition(b"\n\n")[0] + b"\n"


def test_good_ones_of_both_kinds_and_one_of_a_stranger(checkpoint: Checkpoint) -> None:
    body = body_of(bytes(checkpoint.note))
    for each in (ONE, TWO, Cosigner("witness.example/w3", b"\x04" * 32, 4)):
        row(each, body, checkpoint.size).save()
    assert kept_cosignatures.check_all() == 1


Wrong = Callable[[bytes, int], Cosignature]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda body, size: row(ONE, body.replace(b"\n1\n", b"\n2\n"), size), "does not verify"),
        (lambda body, size: row(TWO, body.replace(b"\n1\n", b"\n2\n"), size), "does not verify"),
        (lambda body, size: row(ONE, body, size, line=FORGED.line(body, SECONDS)), "not what it says"),
        (lambda body, size: row(ONE, body, size, at_us=5), "not what it says"),
        (lambda body, size: row(ONE, body, size, witness="witness.example/w9"), "not what it says"),
        (lambda body, size: row(ONE, body, size, line=b"seen\n"), "no signature line"),
        (lambda body, size: row(ONE, body, size, line=ONE.line(body, SECONDS) * 2), "no signature line"),
        (lambda body, size: row(ONE, body, size + 1), "not there"),
    ],
    ids=["tree", "tree-ml-dsa", "another-s-line", "time", "name", "no-line", "two-lines", "no-checkpoint"],
)
def test_wrong_ones(checkpoint: Checkpoint, made: Wrong, reason: str) -> None:
    made(body_of(bytes(checkpoint.note)), checkpoint.size).save()
    with pytest.raises(LogIntegrityError, match=reason):
        kept_cosignatures.check_all()


KEEP = """
import base64
from lineage.db.models import Checkpoint, Cosignature
from lineage.services import publish
from tests.witness_keys import Cosigner
made = publish.publish_once() or Checkpoint.objects.order_by("-size")[0]
by = Cosigner("witness.example/w1", b"\\x01" * 32, 4)
body = bytes(made.note).rpartition(b"\\n\\n")[0] + b"\\n"
line = by.line(body.replace(BEFORE, AFTER), SECONDS)
Cosignature.objects.create(
    size=made.size, witness=by.name, key_hash=by.hashed.hex(), line=line, at_us=SECONDS * 1_000_000
)
print(made.size)
"""


@pytest.mark.parametrize("good", [True, False], ids=["good", "forged"])
def test_a_restore_verifies_them(
    good: bool, transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive is whole, sealed by the platform's key: only the witness's own key tells."""
    monkeypatch.setattr(restore_keys, "current", lambda: replace(config.current(), keys=tmp_path / "keys"))
    (tmp_path / "old").mkdir()
    old = Installation(tmp_path / "old")
    before, after = (b"", b"") if good else (b"\n", b"\nx")
    program = KEEP.replace("BEFORE", repr(before)).replace("AFTER", repr(after))
    old.run(program.replace("SECONDS", str(SECONDS)))
    archive = tmp_path / "old" / "backup.tar.gz"
    old.lineage("backup", str(archive))
    if good:
        restore.read(archive, report=lambda done, total: None)
        assert Cosignature.objects.count() == 1
        assert kept_cosignatures.check_all() == 0
        return
    with pytest.raises(LogIntegrityError, match=r"cosignature by witness[.]example/w1"):
        restore.read(archive, report=lambda done, total: None)
    assert not Entry.objects.exists()
