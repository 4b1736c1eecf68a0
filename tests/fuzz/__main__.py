"""`python -m tests.fuzz TARGET --seconds 60`: search with atheris for an input that breaks a reader.

Exit 0: nothing fell out. Otherwise atheris writes the input to `--findings`, and its path is printed; give
the file to `--reproduce` to see what it does. What led a search on is kept in `--corpus`, and the next search
goes on from there; `--pack` puts the smallest of that into the repository (`tests/fuzz/corpora`).
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import time
from pathlib import Path

MAX_OTHERS = 500
"""Of a corpus: those whose pieces are put into inputs."""
SLOW_SECONDS = 10
"""Of computing for one input: more breaks a reader too."""
ENDLESS_SECONDS = 120
"""By the clock, as libFuzzer counts: what waits for other programs (`--nice`) may stand still for a while."""


def main() -> None:
    arguments = _arguments()
    import atheris  # type: ignore[import-untyped]

    # What guides the search is instrumented while it is imported, so nothing of ours may be imported before.
    with atheris.instrument_imports(include=["lineage", "api"]):
        found = importlib.import_module("tests.fuzz.targets").TARGETS
    from tests.fuzz import corpus, mutating

    targets = {target.name: target for target in found}
    if arguments.list:
        print("\n".join(targets))
        return
    target = targets.get(arguments.target)
    if target is None:
        sys.exit(f"There is no target {arguments.target!r}; there are: {', '.join(targets)}.")
    if arguments.reproduce:
        print("accepted" if target.run(arguments.reproduce.read_bytes()) else "refused")
        return
    found_before = arguments.corpus / target.name
    found_before.mkdir(parents=True, exist_ok=True)
    if arguments.pack:
        count = corpus.pack(target, (path.read_bytes() for path in found_before.iterdir()))
        print(f"{target.name}: {count} inputs are kept in {corpus.PACKED}")
        return
    os.nice(arguments.nice)
    # atheris ends the process itself, so the folder stays; the next search writes it anew.
    starts = arguments.findings / "starts" / target.name
    shutil.rmtree(starts, ignore_errors=True)
    starts.mkdir(parents=True)
    count = corpus.write(target, starts)
    print(f"{target.name}: {count} inputs to start from", flush=True)
    others = [path.read_bytes() for path in sorted(starts.iterdir())]
    others += [path.read_bytes() for path in sorted(found_before.iterdir())[:MAX_OTHERS]]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.4:
            return bytes(atheris.Mutate(data, max_size))
        return mutating.mutated(bytes(data), others, chance, max_size)

    options = [
        f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}", "-max_len=65536",
        f"-timeout={ENDLESS_SECONDS}", f"-report_slow_units={ENDLESS_SECONDS}", "-rss_limit_mb=2048",
        f"-artifact_prefix={arguments.findings}{os.sep}{target.name}-",
        str(found_before), str(starts),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], lambda data: _run(target, data), custom_mutator=mutate)
    atheris.Fuzz()


def _run(target: object, data: bytes) -> None:
    begun = time.process_time()
    target.run(data)  # type: ignore[attr-defined]
    spent = time.process_time() - begun
    assert spent <= SLOW_SECONDS, f"{spent:.0f} s of computing for one input"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", default="")
    parser.add_argument("--list", action="store_true", help="print the names of the targets")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("var/fuzz"), help="where inputs that break go")
    parser.add_argument("--corpus", type=Path, default=Path("var/fuzz/corpus"), help="what is kept")
    parser.add_argument("--pack", action="store_true", help="keep the smallest of the corpus, and end")
    parser.add_argument("--nice", type=int, default=0, help="let other programs go first (19: all of them)")
    parser.add_argument("--reproduce", type=Path, help="run this one input instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
