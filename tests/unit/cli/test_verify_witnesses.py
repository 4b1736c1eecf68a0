"""`lineage verify --witness KEY --witnesses N` as an auditor runs it: in an empty folder, under `env -i`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lineage.trust import checkpoint
from lineage.trust.checkpoint import Checkpoint
from tests.unit.trust.test_tlog_proof import KEY, LOG, NOTE, ORIGIN, PROOF, tree
from tests.witness_keys import Cosigner

SECONDS = 1_800_000_000
ONE = Cosigner("witness.example/w1", b"\x01" * 32, 4)
TWO = Cosigner("witness.example/w2", b"\x02" * 32, 6)
OTHER = Cosigner("witness.example/w3", b"\x03" * 32, 4)
FORGED = Cosigner(ONE.name, b"\x04" * 32, 4)
BODY = NOTE.partition(b"\n\n")[0] + b"\n"
ELSEWHERE = checkpoint.sign(Checkpoint(f"{ORIGIN}/other", 5, tree(0, 5)), LOG).partition(b"\n\n")[0] + b"\n"


def call(folder: Path, lines: bytes, *arguments: str) -> tuple[int, dict[str, object]]:
    """Exit code and what was said, of a proof whose checkpoint has these lines besides the log's own."""
    (folder / "entry.tlog-proof").write_bytes(replace(PROOF, note=NOTE + lines).encode())
    command = [str(Path(sys.executable).parent / "lineage"), "verify", "entry.tlog-proof", "--json"]
    done = subprocess.run(
        [*command, "--root", KEY, *arguments],
        cwd=folder,
        env={},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in {0, 1, 2}, done.stderr.decode()
    (said,) = json.loads(done.stdout)
    return done.returncode, said


def asked(*cosigners: Cosigner, quorum: int | None = None) -> list[str]:
    words = [word for each in cosigners for word in ("--witness", each.verifier_key)]
    return words if quorum is None else [*words, "--witnesses", str(quorum)]


BOTH = ONE.line(BODY, SECONDS) + TWO.line(BODY, SECONDS)


@pytest.mark.parametrize(
    ("lines", "arguments", "code"),
    [
        (b"", [], 0),
        (BOTH, asked(ONE, TWO), 0),
        (BOTH, asked(ONE, TWO, OTHER, quorum=2), 0),
        (ONE.line(BODY, SECONDS), asked(ONE, TWO, quorum=1), 0),
        (b"", asked(ONE), 2),
        (b"", ["--witnesses", "1"], 2),
        (ONE.line(BODY, SECONDS), asked(ONE, TWO), 2),
        (BOTH, asked(ONE, TWO, OTHER, quorum=3), 2),
        (BOTH, asked(OTHER), 2),
        (FORGED.line(BODY, SECONDS), asked(ONE, quorum=1), 2),
        (ONE.line(BODY, SECONDS) + FORGED.line(BODY, SECONDS), asked(ONE, FORGED, quorum=2), 2),
        (ONE.line(BODY, SECONDS) + ONE.line(BODY, SECONDS + 9), asked(ONE, quorum=2), 2),
        (ONE.line(BODY, SECONDS), asked(ONE, ONE, quorum=2), 2),
        (ONE.line(BODY, SECONDS), asked(ONE, ONE), 0),
        (ONE.line(ELSEWHERE, SECONDS), asked(ONE), 1),
        (TWO.line(ELSEWHERE, SECONDS), asked(TWO), 1),
        (ONE.line(ELSEWHERE, SECONDS) + TWO.line(BODY, SECONDS), asked(TWO), 0),
    ],
    ids=[
        "none-asked",
        "all",
        "enough",
        "one-of-two",
        "no-cosignature",
        "no-key",
        "one-missing",
        "too-few",
        "wrong-key",
        "another-s-key-of-the-name",
        "two-keys-of-one-name",
        "twice-in-the-note",
        "twice-asked-for-two",
        "twice-asked",
        "another-origin",
        "another-origin-ml-dsa",
        "another-origin-of-nobody-asked",
    ],
)
def test_witnesses(tmp_path: Path, lines: bytes, arguments: list[str], code: int) -> None:
    found, said = call(tmp_path, lines, *arguments)
    assert (found, said["outcome"]) == (code, ["verified", "refuted", "inconclusive"][code])
    reasons = " ".join(str(each) for each in said["reasons"])  # type: ignore[attr-defined]
    if code == 2:
        assert "must have" in reasons or "No key of a witness" in reasons
    if code == 1:
        assert "does not verify" in reasons


def test_keys_of_witnesses_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "witnesses.txt").write_text(f"{ONE.verifier_key}\n\n{TWO.verifier_key}\n")
    assert call(tmp_path, BOTH, "--witness", "witnesses.txt")[0] == 0
    assert call(tmp_path, ONE.line(BODY, SECONDS), "--witness", "witnesses.txt")[0] == 2


@pytest.mark.parametrize(
    "text", ["", "\n\n", "nothing+else\n", f"{KEY}\n"], ids=["empty", "blank", "none", "log"]
)
def test_a_file_that_holds_no_witness_asks_for_nothing_silently(tmp_path: Path, text: str) -> None:
    (tmp_path / "witnesses.txt").write_text(text)
    command = [str(Path(sys.executable).parent / "lineage"), "verify", "witnesses.txt", "--root", KEY]
    done = subprocess.run(
        [*command, "--witness", "witnesses.txt"], cwd=tmp_path, env={}, capture_output=True, check=False
    )
    assert done.returncode == 3
    assert b"--witness" in done.stderr
