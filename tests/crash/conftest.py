"""Traces of a file's tests, replayed against the specification when all of them are over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lineage.errors import UnavailableError
from tests.crash.trace import Trace
from tests.services import unavailable
from tests.spec import replay, tlc


@dataclass
class Traces:
    """By what each is of."""

    folder: Path
    named: dict[str, Trace] = field(default_factory=dict)

    def new(self, name: str) -> Trace:
        self.named[name] = Trace(self.folder / f"{len(self.named)}.jsonl")
        return self.named[name]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    """What the tests of a file saw; in the end TLC, started once, is asked whether Log.tla allows it."""
    made = Traces(tmp_path_factory.mktemp("traces"))
    yield made
    try:
        tlc.jar()
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())
    refused = replay.replayed(list(made.named.values()), made.folder)
    assert dict(zip(made.named, refused, strict=True)) == dict.fromkeys(made.named, "")
