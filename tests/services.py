"""Real services for tests, as pytest fixtures: each started at its first use, ended with the session.

A test that uses one is marked `service`. Where a service can't be had the test is skipped with the reason;
under LINEAGE_TEST_SERVICES=all it fails. Tests that stop or kill a service start their own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lineage.errors import UnavailableError
from lineage.localservices import neo4j, neo4j_jars, postgresql, redis
from lineage.localservices.service import LocalService
from tests import mlflow_server
from tests.postgresql.cluster import wait_for_disk
from tests.postgresql.databases import fresh_database

_FIXTURES = frozenset(
    {
        *("postgresql_service", "redis_service", "neo4j_service"),
        *("fresh_postgresql", "fresh_redis", "fresh_neo4j"),
        *("mlflow_service", "mlflow_with_users", "stoppable_mlflow"),
    }
)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("service")


def unavailable(reason: str) -> None:
    """Skip the running test for a missing service, or fail it where all must be there."""
    if os.environ.get("LINEAGE_TEST_SERVICES") == "all":
        pytest.fail(f"LINEAGE_TEST_SERVICES=all, but: {reason}")
    pytest.skip(reason)


def need_all() -> None:
    """Skip or fail the running test, as `unavailable` says, unless every service can be started here."""
    try:
        postgresql.programs()
        redis.program()
        neo4j.program()
        neo4j_jars.class_path()
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())


def running(start: Callable[[Path], LocalService], directory: Path) -> Iterator[LocalService]:
    """The body of a fixture: a service in `directory`, ended afterwards."""
    try:
        service = start(directory)
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())
    else:
        yield service
        service.stop()


@pytest.fixture(scope="session")
def postgresql_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    for service in running(postgresql.start, tmp_path_factory.mktemp("postgresql")):
        wait_for_disk(service, wanted=False)
        yield service


@pytest.fixture(scope="session")
def redis_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    yield from running(redis.start, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def neo4j_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    # A plan stays while one test's graph gives way to the next one's: otherwise Neo4j plans all questions
    # again every ten seconds, because so much is there now and so much then.
    start = partial(neo4j.start, more={"dbms.cypher.min_replan_interval": "1h"})
    yield from running(start, tmp_path_factory.mktemp("neo4j"))


@pytest.fixture(scope="session")
def mlflow_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    yield from running(mlflow_server.start, tmp_path_factory.mktemp("mlflow"))


@pytest.fixture(scope="session")
def mlflow_with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """An MLflow server that wants `mlflow.ADMIN` and its password."""
    yield from running(partial(mlflow_server.start, auth=True), tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def emptied_mlflow(mlflow_service: LocalService) -> LocalService:
    """The session's MLflow server without what earlier tests left, which a sync would read too."""
    wipe_mlflow(mlflow_service.directory)
    return mlflow_service


def wipe_mlflow(directory: Path) -> None:
    """Delete all rows and files of the MLflow server in `directory`, but its first experiment."""
    with closing(sqlite3.connect(directory / "mlflow.db", timeout=60)) as database, database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            if name not in _MLFLOW_OWN:
                database.execute(f'DELETE FROM "{name}"')
        database.execute("DELETE FROM experiments WHERE experiment_id != 0")
    shutil.rmtree(directory / "artifacts", ignore_errors=True)


_MLFLOW_OWN = frozenset({"alembic_version", "experiments", "sqlite_sequence", "workspaces"})
"""Tables with rows that an empty MLflow server has."""


@pytest.fixture
def stoppable_mlflow(emptied_mlflow: LocalService) -> Iterator[LocalService]:
    """The session's MLflow server without a run, which the test may stop."""
    yield emptied_mlflow
    emptied_mlflow.start()


@pytest.fixture
def fresh_postgresql(postgresql_service: LocalService) -> Iterator[str]:
    """The URL of a new, empty database, dropped afterwards with whoever is still connected."""
    with fresh_database(postgresql_service.url) as url:
        yield url


@pytest.fixture
def fresh_redis(redis_service: LocalService) -> str:
    """The URL of a Redis without a key."""
    from redis import Redis

    with Redis.from_url(redis_service.url, socket_timeout=30) as client:
        client.flushall()
    return redis_service.url


@pytest.fixture
def fresh_neo4j(neo4j_service: LocalService) -> str:
    """The URL of a Neo4j without a node, a constraint or an index but for those of any graph of ours."""
    wipe_neo4j(neo4j_service.url, but=CONSTRAINTS)
    return neo4j_service.url


def wipe_neo4j(url: str, *, but: frozenset[str] = frozenset()) -> None:
    """Delete everything in a Neo4j, `bolt://user:password@host:port`, `but` constraints of these names."""
    from neo4j import GraphDatabase

    parts = urlsplit(url)
    auth = (parts.username or "", parts.password or "")
    with (
        GraphDatabase.driver(f"bolt://{parts.hostname}:{parts.port}", auth=auth) as driver,
        driver.session(database="neo4j") as session,
    ):
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS").consume()
        for (name,) in session.run("SHOW CONSTRAINTS YIELD name").values():
            if name not in but:
                session.run(f"DROP CONSTRAINT `{name}`").consume()
        for (name,) in session.run(
            "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"
        ).values():
            if name not in but:
                session.run(f"DROP INDEX `{name}`").consume()


CONSTRAINTS = frozenset({"lineage_projection", "lineage_node_key"})
"""Kept between tests: without them Neo4j forgets every plan, and plans longer than a test runs."""
