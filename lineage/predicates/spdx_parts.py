"""The elements of an SPDX document as nodes, entered when a relationship first speaks of them.

Owns: `Element` and `Document`, the one form of both versions of SPDX, and which node an element is. Does not
own: how a version writes them (`spdx2_reading`, `spdx3_reading`), or what a relationship means (`spdx`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind
from lineage.predicates.artifact_refs import references
from lineage.predicates.base import Rows
from lineage.predicates.composition import part_run
from lineage.predicates.delta import Delta
from lineage.predicates.members import Supplier, supplied
from lineage.trust.statement import RawDescriptor, Statement

MAX_ELEMENTS = 40_000
"""Elements and relationships of one document."""

NOTHING_SAID = frozenset({"", "NOASSERTION", "NONE"})
"""Words with which SPDX says that nothing is said."""

_ALGORITHMS = {
    "md5": "md5", "sha1": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384",
    "sha512": "sha512", "sha3_224": "sha3_224", "sha3_256": "sha3_256", "sha3_384": "sha3_384",
    "sha3_512": "sha3_512", "blake2b_512": "blake2b", "blake3": "blake3",
}  # fmt: skip
"""Both versions' names of digests, in lowercase with `_`, in in-toto's; others identify nothing."""

ROLES = {
    "application": "code", "container": "container", "configuration": "config", "data": "dataset",
    "executable": "code", "file": "file", "framework": "library", "library": "library", "manifest": "config",
    "model": "model", "source": "code", "specification": "file", "test": "code",
}  # fmt: skip
"""What a purpose means here; others mean no role."""


def algorithm(name: str) -> str:
    """SPDX's name of a digest in in-toto's words, or its own where in-toto has none."""
    return _ALGORITHMS.get(name.lower().replace("-", "_"), name)


@dataclass(frozen=True, slots=True)
class Element:
    """A package, file, dataset, model or build. `digests` are as written, `where` its JSON path."""

    id: str
    where: str
    name: str = ""
    version: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    purl: str = ""
    location: str = ""
    role: str = ""
    supplier: str = ""
    licenses: tuple[str, ...] = ()
    details: Rows = ()
    is_build: bool = False
    started: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """`source` has the relationship `type`, in SPDX 3's words, to `target`; both are ids."""

    source: str
    type: str
    target: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """`roots` are the ids of what the document describes."""

    version: str
    name: str
    created: str
    elements: Mapping[str, Element]
    relations: tuple[Relation, ...]
    roots: tuple[str, ...]


class Parts:
    """The nodes of a document's elements, by id."""

    def __init__(self, delta: Delta, statement: Statement, document: Document) -> None:
        self._delta = delta
        self._statement = statement
        self._elements = document.elements
        self._keys: dict[str, tuple[str, ...]] = {}

    def is_subject(self, reference: str, subjects: tuple[str, ...]) -> None:
        """Say that an element is what the document is about."""
        self._keys[reference] = subjects
        element = self._elements[reference]
        for subject in subjects:
            self._delta.claim(subject, ClaimKind.ROLE, element.role)
            self._tell(element, subject)

    def of(self, reference: str) -> tuple[str, ...]:
        """The keys of what an id means; of an element of another document something that is only named."""
        keys = self._keys.get(reference)
        if keys is None:
            element = self._elements.get(reference)
            keys = self._keys[reference] = self._named(reference) if element is None else self._enter(element)
        return keys

    def _named(self, reference: str) -> tuple[str, ...]:
        is_uri = ":" in reference and not reference.startswith("DocumentRef-")
        described = RawDescriptor(uri=reference) if is_uri else RawDescriptor(name=reference)
        return references(self._delta, [described], where="$.predicate")

    def _enter(self, element: Element) -> tuple[str, ...]:
        if element.is_build:
            key = part_run(
                self._delta,
                self._statement,
                element.id,
                name=element.name,
                activity="build",
                started=element.started,
                ended=element.ended,
            )
            for label, value in element.details:
                self._delta.detail(key, label, value)
            return (key,)
        try:
            keys = references(self._delta, [_descriptor(element)], where="", role=element.role)
        except MalformedError as error:  # there are no descriptors, so their members name nothing
            error.where = element.where
            raise
        self._tell(element, keys[0])
        return keys

    def _tell(self, element: Element, key: str) -> None:
        delta = self._delta
        delta.claim(key, ClaimKind.NAME, element.name)
        delta.claim(key, ClaimKind.VERSION, element.version)
        for text in element.licenses:
            delta.claim(key, ClaimKind.LICENSE, text)
        if element.supplier:
            supplied(delta, key, Supplier(element.supplier), where=f"{element.where}.supplier")
        for label, value in element.details:
            delta.detail(key, label, value)


def _descriptor(element: Element) -> RawDescriptor:
    name, location = element.name or element.id, element.location
    if not element.digests and not element.purl and not location and element.version:
        name = f"{name}@{element.version}"  # its name is all that tells it from another version
    return RawDescriptor(
        name=name,
        uri=element.purl or None,
        digest=dict(element.digests) or None,
        downloadLocation=location or None,
    )
