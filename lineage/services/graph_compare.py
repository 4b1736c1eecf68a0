"""Comparing rows that should be there with rows that are: what is missing, extra or changed, by name.

Owns: differences, how they are told, the order of a comparison. Pure but for what the two sides read. Does
not own: where rows come from (`graph_check_tables`, `graph_check_rows`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

MAX_EXAMPLES = 50
MAX_TEXT = 300
PAGE = 1_000
"""Node keys at a time."""
MANY = 1_000
"""Nodes around which something differs that are remembered; above, the graph is made anew as a whole."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of rows.

    Attributes:
        name: of one row, as people read it.
        columns: in order; the first is the node key by which rows are asked for.
        identity: how many of the first columns name a row; the others can be wrong.
        index: the column with the log index from which on the row is there.
    """

    name: str
    columns: tuple[str, ...]
    identity: int
    index: int


@dataclass(slots=True)
class Findings:
    """Every difference is counted, the first are told, and of the first `MANY` it is known where they are.

    `compared` counts rows that should be there, `kinds` differences such as `edge missing`.
    """

    compared: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    @property
    def differences(self) -> int:
        return self.kinds.total()

    def add(self, name: str, how: str, told: str, key: str = "") -> None:
        self.kinds[f"{name} {how}"] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{name} {how}: {told}"[:MAX_TEXT])
        if key and len(self.keys) <= MANY:
            self.keys.add(key)

    def compare(self, section: Section, expected: Iterable[Row], found: Iterable[Row], size: int) -> None:
        """Take both sides' rows of some node keys. What came at `size` or later is left alone."""
        wanted: dict[Row, list[Row]] = {}
        for row in expected:
            wanted.setdefault(row[: section.identity], []).append(row[section.identity :])
            self.compared[section.name] += 1
        for row in found:
            identity = row[: section.identity]
            same = wanted.get(identity)
            if same:
                self._differing(section, identity, same, row[section.identity :])
            elif not _late(row[section.index], size):
                self.add(section.name, "extra", _named(section, row), row[0])
        for identity, rows in wanted.items():
            for values in rows:
                self.add(section.name, "missing", _named(section, identity + values), identity[0])

    def _differing(self, section: Section, identity: Row, wanted: list[Row], values: Row) -> None:
        if values in wanted:
            wanted.remove(values)
            return
        names, right = section.columns[section.identity :], wanted.pop()
        wrong = (
            f"{name} is {_text(now)}, by the log {_text(then)}"
            for name, now, then in zip(names, values, right, strict=True)
            if now != then
        )
        told = " ".join(map(_text, identity))
        self.add(section.name, "changed", f"{told}: {'; '.join(wrong)}", identity[0])


def _late(index: object, size: int) -> bool:
    return isinstance(index, int) and index >= size


def _named(section: Section, row: Row) -> str:
    told = " ".join(map(_text, row[: section.identity]))
    rest = zip(section.columns[section.identity :], row[section.identity :], strict=False)
    more = ", ".join(f"{name} {_text(value)}" for name, value in rest)
    return f"{told} ({more})" if more else told


def _text(value: object) -> str:
    return value[:100] if isinstance(value, str) else "nothing" if value is None else repr(value)[:150]


class Side(Protocol):
    """One of the two that are compared."""

    def rows(self, section: Section, keys: Sequence[str]) -> list[Row]:
        """The rows that belong to these node keys, in no order."""


class FoundSide(Side, Protocol):
    """The one that may be wrong."""

    def key_pages(self) -> Iterator[list[str]]:
        """Every node's key, some at a time."""

    def strays(self, findings: Findings) -> None:
        """Add what no node's key leads to."""


class KnownSide(Protocol):
    """The nodes that should be there."""

    def count_nodes(self) -> int: ...

    def key_pages(self) -> Iterator[list[str]]: ...

    def known(self, keys: Sequence[str]) -> set[str]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found of the entries below `size`, and whether it was put right."""

    size: int
    findings: Findings
    repaired: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides as of `size`: first what should be there, then what is there besides."""

    size: int
    known: KnownSide
    expected: Side
    found: FoundSide
    sections: Sequence[Section]
    progress: Callable[[int, int, str], None]

    def run(self, findings: Findings) -> None:
        total, done = self.known.count_nodes(), 0
        for keys in self.known.key_pages():
            self._compare(keys, findings)
            done += len(keys)
            self.progress(done, total, "comparing nodes and edges")
        for keys in self.found.key_pages():
            there = self.known.known(keys)
            for unknown in in_pages([key for key in keys if key not in there], PAGE):
                self._compare(unknown, findings)
            self.progress(done, total, "looking for others")
        self.found.strays(findings)

    def _compare(self, keys: Sequence[str], findings: Findings) -> None:
        for section in self.sections:
            expected, found = self.expected.rows(section, keys), self.found.rows(section, keys)
            findings.compare(section, expected, found, self.size)


def in_pages(keys: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), most):
        yield keys[start : start + most]
