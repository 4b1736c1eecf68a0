"""Fixtures of the workers' room: installations on real services, each on a copy of one that was prepared."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from lineage.localservices.service import LocalService
from tests import server
from tests.postgresql.databases import drop
from tests.workers import crew as crews
from tests.workers.crew import Crew
from tests.workers.damage_rows import TABLE


@dataclass(frozen=True)
class Template:
    """A prepared installation: a database to copy, and the folder with keys and files."""

    database: str
    home: Path
    root: Path
    keys: dict[str, str]


@pytest.fixture(scope="session", autouse=True)
def table() -> Iterator[None]:
    """Print the damage table at the end, of the tests that were run: `pytest -s` shows it."""
    yield
    if TABLE:
        print("\n\n| what | what was done to it | outcome | words |\n|---|---|---|---|")
    for row in sorted(TABLE):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")


@pytest.fixture(scope="session")
def template(
    postgresql_service: LocalService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    home = tmp_path_factory.mktemp("crew")
    root = home / "files"
    crews.make_files(root)
    name = f"template_{secrets.token_hex(6)}"
    url = urlsplit(postgresql_service.url)._replace(path=f"/{name}").geturl()
    _administer(postgresql_service, "CREATE DATABASE {}", name)
    server.migrated(home, {"LINEAGE_DATABASE_URL": url})
    keys = crews.prepared_keys(crews.environment_of(home, root, url, ""), home)
    yield Template(name, home, root, keys)
    with psycopg.connect(postgresql_service.url, autocommit=True) as connection:
        drop(connection, name)


@pytest.fixture
def crew_on(
    template: Template, postgresql_service: LocalService, tmp_path: Path
) -> Iterator[Callable[[str], Crew]]:
    """`crew_on(broker)` is a new installation with that broker; its processes end with the test.

    What it publishes is no other installation's, so it has a high-water file of its own.
    """
    high_water = tmp_path / "high-water"
    if (kept := template.home / "high-water").exists():
        shutil.copy(kept, high_water)
    name = f"crew_{secrets.token_hex(6)}"
    url = urlsplit(postgresql_service.url)._replace(path=f"/{name}").geturl()
    _administer(postgresql_service, "CREATE DATABASE {} TEMPLATE {}", name, template.database)
    made: list[Crew] = []

    def make(broker: str) -> Crew:
        environment = crews.environment_of(template.home, template.root, url, broker)
        environment["LINEAGE_HIGH_WATER"] = str(high_water)
        made.append(Crew(environment, tmp_path, url, template.keys))
        return made[-1]

    yield make
    for crew in made:
        crew.end()
    with psycopg.connect(postgresql_service.url, autocommit=True) as connection:
        drop(connection, name)


@pytest.fixture
def crew(crew_on: Callable[[str], Crew], fresh_redis: str) -> Crew:
    return crew_on(fresh_redis)


def _administer(service: LocalService, statement: str, *names: str) -> None:
    with psycopg.connect(service.url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
