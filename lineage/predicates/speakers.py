"""For which builder a statement speaks, read without the rest of it.

Reading the rest costs half a signature's verification, and few keys are held to more than builders.
Owns: where the predicates of builds and steps name their builder. Does not own: what they say beyond that.
"""

from __future__ import annotations

import msgspec

from lineage.predicates.wire import Wire, read


class _Builder(Wire, frozen=True):
    id: str


class _Made(Wire, frozen=True):
    builder: _Builder | None = None


class _Build(Wire, frozen=True):
    run_details: _Made


_MADE = msgspec.json.Decoder(_Made)
_BUILD = msgspec.json.Decoder(_Build)


def of_run(predicate: bytes) -> frozenset[str]:
    """That of a run or step: `builder.id`. Raises MalformedError where it is none, or no string."""
    return _named(read(_MADE, predicate))


def of_build(predicate: bytes) -> frozenset[str]:
    """That of SLSA provenance v1: `runDetails.builder.id`. Raises MalformedError, as `of_run`."""
    return _named(read(_BUILD, predicate).run_details)


def _named(made: _Made) -> frozenset[str]:
    return frozenset((made.builder.id,) if made.builder and made.builder.id else ())
