"""An older database put back under a real server, as operators do it: a file, a dump, stopped and running."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from lineage.localservices import postgresql
from tests import factories
from tests.integration.backups import Installation
from tests.integration.uptree import until
from tests.postgresql.databases import drop, fresh_database
from tests.server import Server, started

pytestmark = pytest.mark.service


@dataclass(frozen=True)
class Place:
    """An installation's home and database, and how its state is kept and put back."""

    home: Path
    url: str

    @contextmanager
    def server(self) -> Iterator[Server]:
        with started(self.home, LINEAGE_DATABASE_URL=self.url, LINEAGE_DEMO="0") as running:
            yield running

    @property
    def file(self) -> Path:
        return self.home / "lineage.sqlite3"

    def keep(self, where: Path) -> None:
        if not self.url:
            with sqlite3.connect(self.file) as source, sqlite3.connect(where) as target:
                source.backup(target)
            source.close()
            target.close()
            return
        _postgresql("pg_dump", "--format=custom", f"--file={where}", self.url)

    def put_back(self, where: Path) -> None:
        """Another file under the name of the old one; the same database, emptied and filled."""
        if not self.url:
            for end in ("-wal", "-shm"):
                self.file.with_name(self.file.name + end).unlink(missing_ok=True)
            copy = self.home / "copy"
            shutil.copy(where, copy)
            copy.replace(self.file)
            return
        base, _, name = self.url.rpartition("/")
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            drop(connection, name)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        _postgresql("pg_restore", "--exit-on-error", f"--dbname={self.url}", str(where))

    def doctor(self) -> dict[str, str]:
        """What is not in order, by the name of the check."""
        process = Installation(self.home, self.url).start("-m", "lineage.cli", "doctor", "--json")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        return {each["check"]: each["words"] for each in json.loads(out) if not each["ok"]}


def _postgresql(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [postgresql.programs() / program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """On the database that the tests run on."""
    home = tmp_path / "home"
    home.mkdir()
    cluster = os.environ.get("LINEAGE_DATABASE_URL", "")
    if not cluster:
        yield Place(home, "")
        return
    with fresh_database(cluster) as url:
        yield Place(home, url)


def send(server: Server, signer: factories.Signer, *, wait: bool = True) -> Any:
    """The status and document of an answer to one more statement."""
    body = signer.envelope(factories.statement())
    path = "/api/v1/attestations" + ("?wait=published" if wait else "")
    answer = server.call("POST", path, body, "application/vnd.in-toto+json")
    return answer.status, answer.json()


def begun(server: Server, count: int) -> factories.Signer:
    signer = factories.signer()
    server.register(signer.private.public.pem(), signer.name)
    for _ in range(count):
        assert send(server, signer)[0] == 201
    return signer


def refused(answer: tuple[int, Any], says: str) -> dict[str, Any]:
    status, document = answer
    assert (status, document["type"]) == (503, "urn:lineage:problem:rolled-back"), document
    assert says in document["detail"]
    return dict(document)


def size(server: Server) -> int:
    return int(server.call("GET", "/health/ready").json()["size"])


def test_put_back_while_it_was_stopped(place: Place, tmp_path: Path) -> None:
    old = tmp_path / "old"
    with place.server() as server:
        signer = begun(server, 2)
        kept = size(server)
        place.keep(old)
        for _ in range(3):
            assert send(server, signer)[0] == 201
        lost = size(server)
    place.put_back(old)
    with place.server() as server:  # it starts, so that an officer can see it
        document = refused(send(server, signer), f"{lost} entries were published")
        assert (document["published_size"], document["log_size"]) == (lost, kept)
        assert "new-epoch" in document["hint"]
        ready = server.call("GET", "/health/ready")
        assert (ready.status, ready.json()["log"]) == (200, "rolled back")
        assert b"lineage_log_rolled_back 1.0" in server.call("GET", "/metrics").data
        assert len(server.call("GET", "/api/v1/attestations").json()["attestations"]) == kept
        assert "an older state of it was put back" in place.doctor()["high-water"]
        assert size(server) == kept
        installation = Installation(place.home, place.url)
        installation.lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")
        status, document = send(server, signer)
        assert (status, document["index"]) == (201, kept + 1), document
        assert server.call("GET", "/health/ready").json()["log"] == "ok"
        assert "/epoch-2\n" in server.call("GET", "/log/checkpoint").data.decode()
    water = (place.home / "high-water").read_text()
    assert f"/epoch-2\n{kept + 2}\n" in water


def test_put_back_beneath_the_running_server(place: Place, tmp_path: Path) -> None:
    old = tmp_path / "old"
    with place.server() as server:
        signer = begun(server, 2)
        kept = size(server)
        place.keep(old)
        for _ in range(3):
            assert send(server, signer)[0] == 201
        assert send(server, signer, wait=False)[0] == 201
        place.put_back(old)
        # PostgreSQL has ended the connections: a moment of 503 `unavailable` is no answer yet.
        until(lambda: send(server, signer, wait=False)[1]["type"].endswith(":rolled-back"), "a refusal")
        refused(send(server, signer, wait=False), "beneath the running server")
        until(lambda: server.call("GET", "/health/ready").json()["log"] == "rolled back", "health says so")
        assert f"\n{kept}\n" not in (place.home / "high-water").read_text()
