"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lineage.config import current
from lineage.db.models import Entry, Envelope, LogHead
from lineage.services import keyring, platform_keys, records, storages
from lineage.trust.digest import sha256_hex
from lineage.trust.merkle import leaf_hash
from tests.integration.projections import ROOT


@pytest.fixture
def storage_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under `ROOT` are copies, as if it had been configured."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(storages, "current", lambda: rooted)


@pytest.fixture
def key_folder() -> Iterator[Path]:
    """The folder of the platform's keys; its files are put back after the test."""
    folder = current().keys
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the first test of a process has none yet
    saved = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield folder
    for path in folder.iterdir():
        path.unlink()
    for name, content in saved.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    keyring.forget()
    platform_keys.forget()


@pytest.fixture
def check_log(log: None) -> Iterator[None]:
    """After the test, re-read the whole log: dense, in order, hashed, each envelope there once."""
    yield
    head = LogHead.objects.get(pk=1)
    entries = list(Entry.objects.order_by("index"))
    assert [e.index for e in entries] == list(range(head.size))
    assert [e.received_us for e in entries] == sorted(e.received_us for e in entries)
    assert Envelope.objects.count() == len(entries)
    policy = -1
    for entry in entries:
        assert entry.policy_index == policy
        assert bytes(entry.leaf_hash) == leaf_hash(records.leaf(entry).encode())
        content = bytes(Envelope.objects.get(pk=entry.index).content)
        assert sha256_hex(content) == entry.envelope_digest
        if entry.kind == Entry.Kind.DECISION:
            policy = entry.index
    assert head.policy_index == policy
