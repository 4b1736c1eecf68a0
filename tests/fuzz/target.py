"""What a fuzz target is, and the two ways in which a reader may refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.errors import MalformedError, TooLargeError

REFUSALS = (MalformedError, TooLargeError)


@dataclass(frozen=True, slots=True)
class Target:
    """One reader under test.

    Attributes:
        name: as on the command line.
        run: reads the bytes; returns whether they were accepted. Raises AssertionError where something was
            accepted wrongly; anything else that comes out is a defect too.
        seeds: good inputs, small, the same in every run.
        vectors: folders of third-party vectors whose files are further seeds.
        inputs: how many the suite tries; fewer where one takes long.
        prepared: takes out of a vector what this target reads.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], Sequence[bytes]]
    vectors: tuple[str, ...]
    inputs: int = 3_000
    prepared: Callable[[bytes], bytes] = bytes


def strict_json(data: bytes) -> Any:
    """A second reader's opinion of what was accepted: it must be one JSON text, each key once.

    Raises: AssertionError. Numbers come back as their text.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=str,
            parse_float=str,
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AssertionError(f"accepted, though it is not JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "accepted, though a key is there twice"
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"accepted, though it contains {name}")
