"""Secrets of sources in their boxes: opened in their own place alone, with this installation's key alone."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lineage import config
from lineage.errors import ConfigurationError
from lineage.services import secret_box

SECRET = "correct horse battery ✓"


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of keys."""
    settings = replace(config.current(), keys=tmp_path / "keys")
    monkeypatch.setattr(secret_box, "current", lambda: settings)
    return tmp_path / "keys"


def test_a_box_opens_where_it_was_made(keys: Path) -> None:
    box = secret_box.seal(SECRET, "lab", "secret")
    assert SECRET not in box
    assert secret_box.open_box(box, "lab", "secret") == SECRET
    assert secret_box.seal(SECRET, "lab", "secret") != box, "two boxes of one secret do not show it"
    assert stat.S_IMODE((keys / "sources.key").stat().st_mode) == 0o600


def test_nothing_is_in_no_box(keys: Path) -> None:
    assert secret_box.seal("", "lab", "secret") == ""
    assert secret_box.open_box("", "lab", "secret") == ""
    assert not keys.exists()


@pytest.mark.parametrize(("source", "field"), [("lob", "secret"), ("lab", "client_key"), ("labsecret", "")])
def test_it_opens_nowhere_else(source: str, field: str) -> None:
    box = secret_box.seal(SECRET, "lab", "secret")
    with pytest.raises(ConfigurationError) as caught:
        secret_box.open_box(box, source, field)
    assert SECRET not in str(vars(caught.value))


@pytest.mark.parametrize("box", ["x", "gAAAAA", "ü"])
def test_what_is_no_box(box: str) -> None:
    with pytest.raises(ConfigurationError):
        secret_box.open_box(box, "lab", "secret")


def test_another_key_opens_nothing(keys: Path) -> None:
    box = secret_box.seal(SECRET, "lab", "secret")
    (keys / "sources.key").unlink()
    with pytest.raises(ConfigurationError, match="can't be decrypted"):
        secret_box.open_box(box, "lab", "secret")


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"\xff" * 64])
def test_a_file_that_is_no_key(keys: Path, content: bytes) -> None:
    keys.mkdir()
    (keys / "sources.key").write_bytes(content)
    (keys / "sources.key").chmod(0o600)
    with pytest.raises(ConfigurationError, match="32 bytes"):
        secret_box.seal(SECRET, "lab", "secret")


def test_a_key_that_others_may_read(keys: Path) -> None:
    secret_box.seal(SECRET, "lab", "secret")
    (keys / "sources.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others may read"):
        secret_box.seal(SECRET, "lab", "secret")
