"""The spool: durable, private, in order, and what a refusal does to an envelope."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.client import Client
from lineage.client import spool as spools
from lineage.client.spool import Spool, servers
from lineage.errors import ConfigurationError, TooLargeError
from tests.unit.client.http_script import RECEIVED, Script, problem, scripted


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as running:
        yield running


@pytest.fixture
def spool(script: Script, tmp_path: Path) -> Spool:
    return Spool(script.url, tmp_path / "spool")


def client(script: Script) -> Client:
    return Client(script.url, "lin_x_y", attempts=0)


def test_what_is_kept_is_sent_oldest_first_and_gone_then(spool: Spool, script: Script) -> None:
    names = [spool.keep(each) for each in (b"{1}", b"{2}", b"{3}")]
    assert spool.waiting() == names
    done = spool.deliver(client(script))
    assert script.bodies == [b"{1}", b"{2}", b"{3}"]
    assert (list(done.receipts), done.refused, done.waiting) == (names, {}, 0)
    assert spool.waiting() == []


def test_a_server_that_is_away_loses_nothing(spool: Spool, script: Script) -> None:
    names = [spool.keep(b"{1}"), spool.keep(b"{2}")]
    done = spool.deliver(Client("http://127.0.0.1:9", "lin_x_y", attempts=0))
    assert (done.waiting, done.refused) == (2, {})
    assert "can't be reached" in done.reason
    assert list(spool.deliver(client(script)).receipts) == names


@pytest.mark.parametrize(
    "answer",
    [
        problem("unavailable", 503),
        problem("unauthenticated", 401),
        problem("rate-limited", 429),
        (502, b"<html>"),
        (200, b"<html>a captive portal"),
        (200, b"{}"),
    ],
)
def test_an_answer_that_refuses_nothing_ends_the_round(
    spool: Spool, script: Script, answer: tuple[int, bytes]
) -> None:
    spool.keep(b"{1}")
    spool.keep(b"{2}")
    script.answers = [answer]
    done = spool.deliver(client(script))
    assert len(script.bodies) == 1
    assert (done.waiting, done.refused) == (2, {})


@pytest.mark.parametrize(
    ("slug", "status"), [("malformed", 400), ("too-large", 413), ("signature-refuted", 422)]
)
def test_a_refusal_for_good_is_put_aside_with_the_reason(
    spool: Spool, script: Script, slug: str, status: int
) -> None:
    name, next_one = spool.keep(b"{1}"), spool.keep(b"{2}")
    script.answers = [problem(slug, status), RECEIVED]
    done = spool.deliver(client(script))
    assert (list(done.refused), list(done.receipts), done.waiting) == ([name], [next_one], 0)
    assert "because" in spool.refused()[name]
    assert spool.again() == 1
    assert (spool.waiting(), spool.refused()) == ([name], {})


@pytest.mark.parametrize("slug", ["signer-unknown", "not-allowed", "key-not-valid"])
def test_what_an_operator_can_mend_is_passed_over_and_tried_again(
    spool: Spool, script: Script, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, next_one = spool.keep(b"{1}"), spool.keep(b"{2}")
    script.answers = [problem(slug, 422), RECEIVED]
    done = spool.deliver(client(script))
    assert (list(done.receipts), done.refused, spool.waiting()) == ([next_one], {}, [name])
    monkeypatch.setattr(spools, "PATIENCE_SECONDS", 0)
    script.answers = [problem(slug, 422)]
    assert list(spool.deliver(client(script)).refused) == [name]


def test_only_the_owner_can_look_inside(spool: Spool) -> None:
    name = spool.keep(b"{1}")
    assert (spool.folder / name).stat().st_mode & 0o777 == 0o600
    for folder in (spool.folder, spool.folder.parent, spool.folder / "refused"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_open_folder_is_closed(script: Script, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    (tmp_path / "spool").chmod(0o777)
    Spool(script.url, tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_a_full_spool_refuses_and_drops_nothing(script: Script, tmp_path: Path) -> None:
    spool = Spool(script.url, tmp_path, max_bytes=10)
    name = spool.keep(b"12345")
    with pytest.raises(TooLargeError, match="may hold 10"):
        spool.keep(b"678901")
    assert spool.waiting() == [name]
    spool.keep(b"67890")


def test_a_folder_that_cannot_be_made_is_named(script: Script, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="file"):
        Spool(script.url, tmp_path / "file")


def test_servers_do_not_get_each_others_envelopes(script: Script, tmp_path: Path) -> None:
    ours, other = Spool(script.url, tmp_path), Spool("https://other.example/lineage", tmp_path)
    other.keep(b"{other}")
    ours.keep(b"{ours}")
    ours.deliver(client(script))
    assert script.bodies == [b"{ours}"]
    assert len(other.waiting()) == 1
    assert sorted(servers(tmp_path)) == sorted([script.url, "https://other.example/lineage"])


def test_a_second_sender_leaves_it_to_the_first(spool: Spool, script: Script) -> None:
    spool.keep(b"{1}")
    with spool._alone() as alone:
        assert alone
        done = spool.deliver(client(script))
    assert (done.reason, done.waiting, script.bodies) == ("another process is sending", 1, [])


def test_a_process_killed_while_writing_leaves_whole_envelopes_only(script: Script, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from lineage.client.spool import Spool\n"
        f"spool = Spool({script.url!r}, Path({str(tmp_path)!r})); spool.keep(b'whole')\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), 9)\n"
        "spool.keep(b'half')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    spool = Spool(script.url, tmp_path)
    assert [(spool.folder / name).read_bytes() for name in spool.waiting()] == [b"whole"]
    (part,) = spool.folder.glob(".*.part")
    os.utime(part, (0, 0))
    spool.deliver(client(script))
    assert not part.exists()
