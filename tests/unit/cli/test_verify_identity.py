"""`lineage verify --identity` where a shell gives it nothing: a variable that is not set asks for nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.cli.main import run
from tests import chains
from tests.unit.trust.builders import statement

SUBJECT = "spiffe://example.com/trainer"


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A file that is signed by a certificate, and the authority that vouches for it."""
    authority = chains.authority("our CA")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    signer = chains.holder("trainer", authority, uri=SUBJECT)
    (tmp_path / "envelope.json").write_bytes(signer.envelope(statement()))
    return ["verify", str(tmp_path / "envelope.json"), "--trusted-root", str(tmp_path / "ca.pem")]


def test_who_signed_is_compared_with_who_is_asked_for(asked: list[str]) -> None:
    assert run([*asked, "--identity", SUBJECT]) == 0
    assert run([*asked, "--identity", "spiffe://example.com/other"]) == 1
    assert run(asked) == 0, "an authority of one's own may vouch for anybody"


@pytest.mark.parametrize("option", ["--identity", "--issuer"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_one_is_a_wrong_call(
    asked: list[str], option: str, empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*asked, option, empty]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "is empty" in said.err
