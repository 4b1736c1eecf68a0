"""The archive of Neo4j's classes: used where there is one, and never needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lineage.errors import UnavailableError
from lineage.localservices import neo4j, neo4j_classes, neo4j_jars
from lineage.localservices.service import LocalService
from tests.services import unavailable

pytestmark = pytest.mark.service


@pytest.fixture
def archive() -> Path:
    """Of this machine, made by whoever asks first."""
    try:
        assert neo4j_classes.make()
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())
    return neo4j_classes.path(neo4j.program())


@pytest.fixture
def another_cache(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's who has the jars, and no archive yet; where it would be."""
    known = neo4j_jars.cache() / "classpath"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    neo4j_jars.cache().mkdir(parents=True)
    shutil.copy(known, neo4j_jars.cache())
    return neo4j_classes.path(neo4j.program())


def maps(service: LocalService) -> str:
    return Path(f"/proc/{service.pid}/maps").read_text(encoding="utf-8")


def test_neo4j_starts_from_the_archive(archive: Path, neo4j_service: LocalService) -> None:
    if str(archive) not in maps(neo4j_service):  # it is older than the archive
        neo4j_service.stop()
        neo4j_service.start()
    assert str(archive) in maps(neo4j_service)


def test_without_one_java_is_told_of_none(another_cache: Path) -> None:
    assert neo4j_classes.arguments(neo4j.program()) == ()
    another_cache.touch()
    assert neo4j_classes.arguments(neo4j.program())[0] == f"-XX:SharedArchiveFile={another_cache}"


def test_java_goes_on_without_what_is_no_archive(another_cache: Path) -> None:
    another_cache.write_bytes(b"no archive at all")
    java = neo4j.program(), *neo4j_classes.arguments(neo4j.program()), "-cp", neo4j_jars.class_path()
    done = subprocess.run(
        [*java, "org.neo4j.server.startup.Neo4jCommand", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Usage: neo4j" in done.stdout


def test_another_java_or_other_jars_have_another_archive(another_cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "java"
    other.write_bytes(b"#!")
    assert neo4j_classes.path(str(other)) != another_cache
    (neo4j_jars.cache() / "classpath").write_text(str(other), encoding="utf-8")
    assert neo4j_classes.path(neo4j.program()) != another_cache
