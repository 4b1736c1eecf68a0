"""`lineage doctor` on a real PostgreSQL: what it says of settings that don't fit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.localservices.service import LocalService
from tests import forks
from tests.postgresql.cluster import wait_for_disk
from tests.server import CHECKOUT, prepared
from tests.services import wipe_neo4j

pytestmark = pytest.mark.service


@pytest.fixture
def url(postgresql_service: LocalService, fresh_postgresql: str) -> Iterator[str]:
    """Of a PostgreSQL that waits for the disk: the doctor says so of one that doesn't."""
    wait_for_disk(postgresql_service, wanted=True)
    yield fresh_postgresql
    wait_for_disk(postgresql_service, wanted=False)


def doctor(home: Path, **settings: str) -> dict[str, tuple[bool, str]]:
    """Each check: whether it is well, and its words. `settings` are LINEAGE_… variables."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment = {**others, "LINEAGE_HOME": str(home), "PYTHONPATH": str(CHECKOUT), **settings}
    environment["DJANGO_SETTINGS_MODULE"] = "lineage.settings"
    done = forks.run(["-m", "lineage.cli", "doctor", "--json"], env=environment, cwd=home)
    assert done.returncode in (0, 1), done.stderr
    assert "hidden-password" not in done.stdout + done.stderr
    return {each["check"]: (each["ok"], each["words"]) for each in json.loads(done.stdout)}


def test_the_doctor_looks_at_postgresql(tmp_path: Path, url: str) -> None:
    settings = {"LINEAGE_DATABASE_URL": url, "LINEAGE_SECRET_KEY": "k" * 48}
    prepared(tmp_path, settings)
    found = doctor(tmp_path, **settings)
    assert found["database"][0], found
    assert "PostgreSQL 1" in found["database"][1]
    assert "UTF8" in found["database"][1]
    assert found["connections"][0], found
    assert "web processes want 52 at most" in found["connections"][1]
    assert found["production"] == (True, "secret key set, 3 allowed hosts")
    assert not found["worker"][0]
    many = doctor(tmp_path, **settings, LINEAGE_WEB_WORKERS="40")
    assert not many["connections"][0]
    assert "Lower LINEAGE_DATABASE_POOL" in many["connections"][1]


def test_what_is_unsafe_for_others_is_named(tmp_path: Path, url: str) -> None:
    database = {"LINEAGE_DATABASE_URL": url}
    assert "LINEAGE_SECRET_KEY is not set" in doctor(tmp_path, **database)["production"][1]
    assert "shorter than 32" in doctor(tmp_path, **database, LINEAGE_SECRET_KEY="abc")["production"][1]
    open_to_all = doctor(tmp_path, **database, LINEAGE_SECRET_KEY="k" * 48, LINEAGE_HOST="0.0.0.0")
    assert "LINEAGE_ALLOWED_HOSTS" in open_to_all["production"][1]
    assert not any(ok for ok, _ in (open_to_all["production"], open_to_all["migrations"]))


def test_services_that_are_away_are_named(tmp_path: Path) -> None:
    prepared(tmp_path, {})
    found = doctor(
        tmp_path,
        LINEAGE_BROKER_URL="redis://:hidden-password@127.0.0.1:1/0",
        LINEAGE_GRAPH_URL="bolt://neo4j:hidden-password@127.0.0.1:1",
    )
    assert (found["broker"][0], found["neo4j"][0]) == (False, False)
    assert "nothing is lost" in found["broker"][1]
    assert "Neo4j can't be reached" in found["neo4j"][1]


def test_the_doctor_asks_neo4j_for_its_constraints(tmp_path: Path, fresh_neo4j: str) -> None:
    from lineage import service_urls
    from lineage.graph.neo4j import driver, inspection
    from lineage.graph.neo4j.store import Neo4jGraph

    wipe_neo4j(fresh_neo4j)
    bolt = service_urls.graph(fresh_neo4j)
    assert bolt is not None
    try:
        before = inspection.server(bolt)
        assert before.version.startswith("5.")
        assert before.missing == ("lineage_node_key", "lineage_projection")
        Neo4jGraph(bolt).start("origin", "rules")
        assert inspection.server(bolt).missing == ()
    finally:
        driver.close()
