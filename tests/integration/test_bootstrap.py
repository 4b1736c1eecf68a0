"""The first start makes keys and entry 0; later starts go on only where keys and log belong together."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lineage.cli import doctor
from lineage.db.models import Entry, LogHead
from lineage.errors import ConfigurationError
from lineage.predicates import inventory
from lineage.services import append, bootstrap, keyring, observe, platform_keys, reverify
from lineage.trust.keys import generate_ed25519
from lineage.trust.policy import Scopes

pytestmark = pytest.mark.usefixtures("log")


def test_entry_0_registers_the_platforms_own_keys() -> None:
    entry = Entry.objects.get(pk=0)
    assert (entry.kind, entry.policy_index) == ("decision", -1)
    ring = keyring.current()
    assert {r.role for r in ring.keys.values()} == {"log", "platform", "collector", "reverifier"}
    assert all(r.index == 0 for r in ring.keys.values())
    (reverifier,) = (r for r in ring.keys.values() if r.role == "reverifier")
    assert set(reverifier.scopes.predicate_types) == {reverify.CHECK_TYPE, inventory.URI}
    assert entry.key_ids == platform_keys.load().platform.public.key_id


def test_starting_again_changes_nothing() -> None:
    head = LogHead.objects.get(pk=1)
    bootstrap.ensure()
    assert LogHead.objects.get(pk=1).size == head.size == 1


def test_a_log_that_began_before_a_role_said_as_much_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its statements are taken all the same: what is our own is judged by the role."""
    assert bootstrap.unnamed() == {}
    assert "began before" not in doctor._keys()
    newer = Scopes(predicate_types=(reverify.CHECK_TYPE, inventory.URI, "urn:newer", "urn:newest"))
    monkeypatch.setitem(bootstrap._SCOPES, "reverifier", newer)
    assert bootstrap.unnamed() == {"reverifier": ("urn:newer", "urn:newest")}
    assert "The log began before its reverifier said urn:newer, urn:newest" in doctor._keys()
    prepared = observe.prepare("reverifier", "urn:newer", ["sha256:" + "0" * 64], {})
    assert append.raise_first(append.append([prepared])).created


def test_key_files_are_for_their_owner_only(key_folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in key_folder.glob("*.pem")}
    assert modes == dict.fromkeys(("log.pem", "platform.pem", "collector.pem", "reverifier.pem"), 0o600)


def test_a_missing_key_file_stops_the_start_and_is_not_made_anew(key_folder: Path) -> None:
    (key_folder / "platform.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"platform\.pem"):
        bootstrap.ensure()
    assert not (key_folder / "platform.pem").exists()


def test_another_key_stops_the_start(key_folder: Path) -> None:
    (key_folder / "collector.pem").write_bytes(generate_ed25519().to_pem())
    with pytest.raises(ConfigurationError, match="not the collector key"):
        bootstrap.ensure()


def test_another_origin_stops_the_start(key_folder: Path) -> None:
    text = (key_folder / "log.pem").read_bytes()
    (key_folder / "log.pem").write_bytes(b"origin: lineage/other\n" + text.partition(b"\n")[2])
    with pytest.raises(ConfigurationError, match="lineage/other"):
        bootstrap.ensure()


@pytest.mark.parametrize("content", [b"", b"origin: \n", b"garbage", b"origin: a b\n"])
def test_a_broken_key_file_stops_the_start(key_folder: Path, content: bytes) -> None:
    (key_folder / "log.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"log\.pem"):
        bootstrap.ensure()


def test_a_key_that_others_can_read_stops_the_start(key_folder: Path) -> None:
    (key_folder / "log.pem").chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        bootstrap.ensure()


def test_existing_key_files_are_kept_when_the_rest_is_made(tmp_path: Path) -> None:
    platform_keys.create_missing(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "reverifier.pem").unlink()
    platform_keys.create_missing(tmp_path)
    second = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] != second[name]] == ["reverifier.pem"]
