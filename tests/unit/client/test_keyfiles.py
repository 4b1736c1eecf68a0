"""Key files: who may read them, and that none is overwritten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lineage.client import read_private_key, read_public_key, write_key_pair
from lineage.errors import ConfigurationError, ConflictError
from lineage.trust.keys import generate_ed25519


def test_a_pair_is_written_and_read_again(tmp_path: Path) -> None:
    key = generate_ed25519()
    public = write_key_pair(key, tmp_path / "k.pem")
    assert public == tmp_path / "k.pem.pub"
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
    assert read_private_key(tmp_path / "k.pem").public == read_public_key(public) == key.public


def test_openssl_reads_what_is_written(tmp_path: Path) -> None:
    public = write_key_pair(generate_ed25519(), tmp_path / "k.pem")
    made = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "k.pem", "-pubout"], capture_output=True, check=True
    ).stdout
    assert made == public.read_bytes()


@pytest.mark.parametrize("there", ["k.pem", "k.pem.pub"])
def test_nothing_is_overwritten_and_nothing_is_left_half(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConflictError, match="exists already"):
        write_key_pair(generate_ed25519(), tmp_path / "k.pem")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_key_pair(generate_ed25519(), tmp_path / "none/k.pem")


def test_a_key_that_others_may_read_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_key_pair(generate_ed25519(), tmp_path / "k.pem")
    read_private_key(tmp_path / "k.pem")
    assert not caplog.records
    os.chmod(tmp_path / "k.pem", 0o644)
    read_private_key(tmp_path / "k.pem")
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("read", [read_private_key, read_public_key])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read(tmp_path / "none")
    (tmp_path / "k.pem").write_text("no key")
    with pytest.raises(ConfigurationError, match=r"k\.pem"):
        read(tmp_path / "k.pem")
