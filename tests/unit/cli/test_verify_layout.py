"""`lineage verify-layout` over files: exit codes, words, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineage.cli.main import run
from tests import layouts as given
from tests.layouts import CODE, PACKED, metablock, two_steps

AT = ("--at", "2026-01-15T12:00:00Z")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "demo.layout").write_bytes(metablock(two_steps(), "owner"))
    (tmp_path / "owner.pub").write_bytes(given.key("owner").public.pem())
    (tmp_path / "stranger.pub").write_bytes(given.key("stranger").public.pem())
    (tmp_path / "write-code.aaaaaaaa.link").write_bytes(metablock(CODE, "bob"))
    (tmp_path / "package.bbbbbbbb.link").write_bytes(metablock(PACKED, "carl"))
    (tmp_path / "foo.tar.gz").write_text("packed")
    return tmp_path


def verify(
    files: Path,
    *more: str,
    key: str = "owner.pub",
    links: tuple[str, ...] = ("write-code.aaaaaaaa.link", "package.bbbbbbbb.link"),
) -> int:
    arguments = ["verify-layout", str(files / "demo.layout"), "--key", str(files / key), *AT, *more]
    return run([*arguments, *(word for link in links for word in ("--link", str(files / link)))])


def test_verified(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(files, "--artifact", str(files / "foo.tar.gz")) == 0
    told = capsys.readouterr().out
    assert "demo.layout: verified" in told
    assert "[ok] MATCH foo.py WITH PRODUCTS FROM write-code: Accepts foo.py." in told


def test_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(files, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["outcome"], [s["name"] for s in report["steps"]]) == (
        "verified",
        ["write-code", "package"],
    )


@pytest.mark.parametrize("why", ["stranger", "missing", "artifact", "link", "expired"])
def test_refuted(files: Path, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    more: tuple[str, ...] = ()
    if why == "artifact":
        more = ("--artifact", str(files / "owner.pub"))
    if why == "expired":
        more = ("--at", "2031-01-01T00:00:00Z")
    if why == "link":
        (files / "write-code.aaaaaaaa.link").write_text("{}")
    links = (
        ("package.bbbbbbbb.link",)
        if why == "missing"
        else ("write-code.aaaaaaaa.link", "package.bbbbbbbb.link")
    )
    assert verify(files, *more, key="stranger.pub" if why == "stranger" else "owner.pub", links=links) == 1
    assert "refuted" in capsys.readouterr().out


def test_inconclusive(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inspection = {"_type": "inspection", "name": "untar", "run": ["touch", "inspected"]}
    (files / "demo.layout").write_bytes(metablock(two_steps(inspect=[inspection]), "owner"))
    assert verify(files) == 2
    assert "inconclusive" in capsys.readouterr().out
    assert run(["verify-layout", str(files / "demo.layout"), *AT]) == 2


def test_a_sublayout_by_its_file_s_name(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outer = given.layout([given.step("deliver", ["alice"])], ["alice"])
    (files / "demo.layout").write_bytes(metablock(outer, "owner"))
    (files / "deliver.cccccccc.link").write_bytes(metablock(two_steps(), "alice"))
    links = ("write-code.aaaaaaaa.link", "package.bbbbbbbb.link", "deliver.cccccccc.link")
    assert verify(files, links=links) == 0
    assert "sublayout: verified" in capsys.readouterr().out


def test_usage(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify-layout", str(files / "nowhere"), *AT]) == 3
    assert verify(files, links=("nowhere",)) == 3
    assert capsys.readouterr().out == ""
