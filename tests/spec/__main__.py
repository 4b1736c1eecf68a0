"""`python -m tests.spec [--large]`: TLC on the specification; exit 1 where it refutes it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.spec import models


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.spec")
    parser.add_argument("--large", action="store_true", help="the models of `make soak`")
    parser.add_argument("--seconds", type=int, default=3600, help="at most, each model")
    given = parser.parse_args()
    for model in models.LARGE if given.large else models.SMALL.values():
        with tempfile.TemporaryDirectory() as folder:
            answer = models.check(model, Path(folder), seconds=given.seconds, workers=2)
        print(f"{model}: {answer.states} distinct states, {answer.refuted or 'all holds'}", flush=True)
        if answer.refuted:
            sys.exit(answer.text)


if __name__ == "__main__":
    main()
