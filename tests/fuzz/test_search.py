"""Every reader of the log is searched by atheris for 20 seconds, side by side, and nothing may fall out.

Twenty seconds of the clock, not of a processor: the searches take what the other tests leave (`--nice`),
so they cost the suite half a minute however many there are. On two idle cores that is some 4 seconds of work
each, thousands of inputs; `make soak` gives each 10 minutes alone, and keeps what it finds for the next.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import OF_THE_LOG

SECONDS = int(os.environ.get("FUZZ_SECONDS_IN_TESTS", "20"))
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="there is no atheris for this version of Python"
)
def test_nothing_falls_out_of_the_readers_of_the_log(tmp_path: Path) -> None:
    searches = {target.name: _search(target.name, tmp_path) for target in OF_THE_LOG}
    try:
        said = {name: each.communicate(timeout=SECONDS + 180)[0] for name, each in searches.items()}
    finally:
        for each in searches.values():
            each.kill()
            each.wait()
    broken = {name: said[name][-4_000:] for name, each in searches.items() if each.returncode}
    assert not broken, "\n".join(f"{name}:\n{text}" for name, text in broken.items())
    ran = {name: re.search(r"Done (\d+) runs", text) for name, text in said.items()}
    counts = {name: int(found[1]) for name, found in ran.items() if found}
    print("\n".join(f"{name}: {count:,} inputs" for name, count in counts.items()))
    assert set(counts) == set(searches)
    # More than it began with: it did search.
    assert all(count > len(target.seeds()) for target in OF_THE_LOG for count in [counts[target.name]])


def _search(name: str, folder: Path) -> subprocess.Popen[str]:
    places = ["--findings", str(folder / "findings"), "--corpus", str(folder / "corpus")]
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(SECONDS), "--nice", "19", *places]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
