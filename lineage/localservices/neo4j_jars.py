"""Neo4j Community's jars from Maven Central, resolved once per user.

Owns: the folder `lineage/neo4j-<version>/` in the user's cache, with the pom and the class path that Maven
made of it. The jars themselves are in Maven's own repository; Maven checks each one's checksum.
`python -m lineage.localservices.neo4j_jars` only fetches.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import UnavailableError

VERSION = "5.26.30"
"""The newest patch of the long-term release; compose.yaml names the same."""
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
RESOLVE_SECONDS = 900
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lineage.local</groupId><artifactId>neo4j</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.neo4j.app</groupId><artifactId>neo4j-server</artifactId><version>{VERSION}</version></dependency>
  </dependencies>
</project>
"""


def class_path() -> str:
    """All jars, separated as Java wants them; fetched where they are not there.

    Raises: UnavailableError where Maven is missing or does not get them.
    """
    folder = cache()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _alone(folder):
        return _known(folder) or _resolve(folder)


def cache() -> Path:
    """The folder of this version in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineage" / f"neo4j-{VERSION}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _known(folder: Path) -> str:
    """The class path of an earlier time; empty where there is none, or one of its jars is gone."""
    try:
        text = (folder / "classpath").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    return text if all(map(os.path.exists, text.split(os.pathsep))) else ""


def _resolve(folder: Path) -> str:
    maven = shutil.which("mvn")
    if not maven:
        raise UnavailableError(
            "Neo4j's jars are not here, and Maven, which fetches them, is not installed.",
            hint="Debian: apt-get install maven openjdk-17-jre-headless",
        )
    (folder / "pom.xml").write_text(_POM, encoding="utf-8")
    command = [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(folder / "pom.xml")]
    try:
        done = subprocess.run(  # noqa: S603 found by this module
            [*command, PLUGIN, f"-Dmdep.outputFile={folder / 'classpath.new'}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=RESOLVE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"Maven did not get Neo4j's jars in {RESOLVE_SECONDS} s.") from error
    if done.returncode:
        raise UnavailableError(f"Maven could not get Neo4j's jars: {done.stdout.strip()[:1000]}")
    (folder / "classpath.new").replace(folder / "classpath")
    return _known(folder)


if __name__ == "__main__":
    try:
        class_path()
    except UnavailableError as problem:
        sys.exit(f"{problem.message} {problem.hint}".rstrip())
