"""The components of a CycloneDX BOM as nodes, entered when something first speaks of them.

Owns: which node a component or dataset is, what is claimed of it, and what a reference inside the BOM means.
Does not own: what is made from what (`cyclonedx`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import ClaimKind
from lineage.predicates.artifact_refs import references
from lineage.predicates.base import Rows
from lineage.predicates.cyclonedx_reading import (
    Bom,
    Component,
    Data,
    ExternalReference,
    checked,
    digests,
    licenses,
)
from lineage.predicates.delta import Delta
from lineage.predicates.members import Supplier, rows, supplied
from lineage.predicates.wire import MAX_REFERENCES
from lineage.trust.statement import RawDescriptor

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "application": "code",
        "container": "container",
        "file": "file",
        "framework": "library",
        "library": "library",
        "machine-learning-model": "model",
    }
)
_DATA_ROLES = {"configuration": "config", "dataset": "dataset", "source-code": "code"}

Node = Component | Data


def role(component: Component) -> str:
    """The role that a component's type means; "" where there is no such role."""
    if component.type != "data":
        return _ROLES.get(component.type, "")
    said = {_DATA_ROLES.get(each.type, "") for each in component.data}
    return said.pop() if len(said) == 1 else "dataset"


def walk(components: Sequence[Component], where: str) -> Iterator[tuple[Component, str]]:
    """Components with their JSON paths, nested ones and ancestors too; a parent before its children."""
    return _down([(each, f"{where}[{number}]") for number, each in reversed(list(enumerate(components)))])


def walk_from(component: Component | None, where: str) -> Iterator[tuple[Component, str]]:
    """One component, if there is one, and what is in it, as in `walk`."""
    return _down([(component, where)] if component else [])


def _down(waiting: list[tuple[Component, str]]) -> Iterator[tuple[Component, str]]:
    while waiting:
        component, path = waiting.pop()
        yield component, path
        inner = [(each, f"{path}.components[{n}]") for n, each in enumerate(component.components)]
        ancestors = component.pedigree.ancestors if component.pedigree else ()
        inner += [(each, f"{path}.pedigree.ancestors[{n}]") for n, each in enumerate(ancestors)]
        waiting += reversed(inner)


class Parts:
    """What a BOM lists, by reference. `subjects` are the keys of what the BOM is about."""

    def __init__(self, delta: Delta, bom: Bom, subjects: tuple[str, ...]) -> None:
        self._delta = delta
        self._subjects = subjects
        self._paths: dict[int, str] = {}
        self._named: dict[str, Node] = {}
        self._keys: dict[int, tuple[str, ...]] = {}
        self._left_out: set[int] = set()
        self._unknown: dict[str, tuple[str, ...]] = {}
        for component, path in walk_from(bom.metadata.component, "$.predicate.metadata.component"):
            self._add(component, path)
        for component, path in walk(bom.components, "$.predicate.components"):
            self._add(component, path)
        for number, formula in enumerate(bom.formulation):
            for component, path in walk(formula.components, f"$.predicate.formulation[{number}].components"):
                self._add(component, path)

    def _add(self, component: Component, path: str) -> None:
        checked(component, where=path)
        self._index(component, component.bom_ref, path)
        if component.scope == "excluded" or component.is_external:
            self._left_out.add(id(component))
        for number, each in enumerate(trained_on(component)):
            where = f"{path}.modelCard.modelParameters.datasets[{number}]"
            if not each.ref:
                self._index(each, each.bom_ref, where)
        for number, each in enumerate(component.data):
            if each.bom_ref:  # another name of the component
                self._index(component, each.bom_ref, f"{path}.data[{number}]")

    def _index(self, node: Node, reference: str, path: str) -> None:
        self._paths.setdefault(id(node), path)
        if len(self._paths) > MAX_REFERENCES:
            raise TooLargeError(
                f"The BOM lists more than {MAX_REFERENCES:,} components, the limit.",
                limit=MAX_REFERENCES,
                where="$.predicate.components",
            )
        if reference and self._named.setdefault(reference, node) is not node:
            raise MalformedError("Two things have this bom-ref.", where=f"{path}.bom-ref")

    def is_subject(self, component: Component) -> None:
        """Say that the component is what the BOM is about."""
        self._keys[id(component)] = self._subjects
        for subject in self._subjects:
            self._tell(component, subject)

    def is_part(self, component: Component) -> bool:
        """Whether the component is in what is delivered: neither excluded nor provided by others."""
        return id(component) not in self._left_out

    def of(self, node: Node) -> tuple[str, ...]:
        """The keys of a listed component or dataset."""
        keys = self._keys.get(id(node))
        if keys is None:
            described = _descriptor(node, self._paths[id(node)])
            said = role(node) if isinstance(node, Component) else "dataset"
            keys = self._entered(described, where=self._paths[id(node)], role=said)
            self._keys[id(node)] = keys
            if isinstance(node, Component):
                self._tell(node, keys[0])
            else:
                self._delta.detail(keys[0], "Description", node.description)
        return keys

    def part(self, reference: str, *, where: str) -> tuple[str, ...]:
        """The keys of what a reference means; none where it is left out of what is delivered.

        A reference to nothing in this BOM (a BOM-Link, a slip of the pen) is something that is only named.
        """
        node = self._named.get(reference)
        if node is not None:
            return () if id(node) in self._left_out else self.of(node)
        keys = self._unknown.get(reference)
        if keys is None:
            is_uri = reference.startswith(("urn:", "pkg:"))
            described = RawDescriptor(uri=reference) if is_uri else RawDescriptor(name=reference)
            keys = self._entered(described, where=where)
            self._unknown[reference] = keys
        return keys

    def elsewhere(self, reference: ExternalReference, *, where: str) -> tuple[str, ...]:
        """The keys of something outside of the BOM."""
        described = RawDescriptor(
            uri=reference.url, digest=digests(reference.hashes, where=f"{where}.hashes") or None
        )
        return self._entered(described, where=where)

    def _entered(self, described: RawDescriptor, *, where: str, role: str = "") -> tuple[str, ...]:
        try:
            return references(self._delta, [described], where="", role=role)
        except MalformedError as error:  # the BOM has no descriptors, so their members name nothing in it
            error.where = where
            raise

    def _tell(self, component: Component, key: str) -> None:
        """Claim of a node what the BOM says of its component."""
        delta, where = self._delta, self._paths[id(component)]
        delta.claim(key, ClaimKind.NAME, titled(component))
        delta.claim(key, ClaimKind.VERSION, component.version)
        for text in licenses(component.licenses, where=f"{where}.licenses"):
            delta.claim(key, ClaimKind.LICENSE, text)
        if component.supplier and component.supplier.name:
            supplied(delta, key, Supplier(component.supplier.name), where=f"{where}.supplier")
        for label, value in card(component):
            delta.detail(key, label, value)


def trained_on(component: Component) -> tuple[Data, ...]:
    """The datasets of a model's card."""
    parameters = component.model_card.model_parameters if component.model_card else None
    return parameters.datasets if parameters else ()


def titled(component: Component) -> str:
    return f"{component.group}/{component.name}" if component.group else component.name


def card(component: Component) -> Rows:
    """What is shown beside the name, in the same words on the node and on the statement."""
    model = component.model_card
    parameters = model.model_parameters if model else None
    considered = model.considerations if model else None
    facts = rows(("Description", component.description))
    if parameters:
        facts += rows(
            ("Approach", parameters.approach.type if parameters.approach else ""),
            ("Task", parameters.task),
            ("Architecture family", parameters.architecture_family),
            ("Architecture", parameters.model_architecture),
        )
    if considered:
        facts += rows(
            ("Intended use", "; ".join(considered.use_cases)),
            ("Limitations", "; ".join(considered.technical_limitations)),
        )
    return facts


def _descriptor(node: Node, where: str) -> RawDescriptor:
    if isinstance(node, Data):
        url = node.contents.url if node.contents else ""
        return RawDescriptor(name=node.name or node.bom_ref or "a dataset", uri=url or None)
    found = digests(node.hashes, where=f"{where}.hashes")
    name = titled(node)
    if not found and not node.purl and node.version:
        name = f"{name}@{node.version}"  # its name is all that tells it from another version
    places = [each.url for each in node.external_references if each.type == "distribution"]
    return RawDescriptor(
        name=name,
        uri=node.purl or None,
        digest=found or None,
        downloadLocation=places[0] if places and found else None,
    )
