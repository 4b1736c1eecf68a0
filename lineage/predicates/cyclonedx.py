"""CycloneDX BOMs about a subject: what it is composed of, and what those things were made from.

`metadata.component` is the statement's subject, unless it has a digest that the subject has not; then the
subject is made from it. A component of a BOM is part of the composition, so what it is part of is
WAS_DERIVED_FROM it: through the dependencies where these lead to it, else directly. Excluded components, and
those that others provide (`isExternal`), are no part of it and make no edge.

Source: in-toto attestation, spec/predicates/cyclonedx.md; CycloneDX 1.4 to 1.7.
"""

from __future__ import annotations

from lineage.graph.model import ClaimKind, GraphDelta
from lineage.predicates.artifact_refs import opening
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.composition import derived, is_about
from lineage.predicates.cyclonedx_formulation import formulated, tasks
from lineage.predicates.cyclonedx_parts import Parts, card, role, titled, trained_on, walk, walk_from
from lineage.predicates.cyclonedx_reading import VERSIONS, Bom, Component, bom, checked, digests
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.predicates.wire import clean, utc
from lineage.trust.statement import Statement

_MAIN = "$.predicate.metadata.component"


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = bom(statement)
    delta, subjects = opening(statement, signer)
    parts = Parts(delta, told, subjects)
    main = told.metadata.component
    if main is not None:
        if is_about(statement, digests(main.hashes, where=f"{_MAIN}.hashes"), where=f"{_MAIN}.hashes"):
            parts.is_subject(main)
            for subject in subjects:
                delta.claim(subject, ClaimKind.ROLE, role(main))
        else:
            derived(delta, subjects, parts.of(main))
    whole = parts.of(main) if main is not None else subjects
    for subject in subjects:
        delta.detail(subject, "Composition", ", ".join(sorted({c.aggregate for c in told.compositions})))
    _depend(delta, told, parts)
    reached = _reached(told, main)
    for component in told.components:
        if parts.is_part(component) and not (component.bom_ref and component.bom_ref in reached):
            derived(delta, whole, parts.of(component))
    _assemble(delta, told, parts)
    formulated(delta, statement, told.formulation, parts)
    return delta.finished()


def _depend(delta: Delta, told: Bom, parts: Parts) -> None:
    """Whoever depends on something is made from it, as far as both are delivered."""
    for number, dependency in enumerate(told.dependencies):
        if dependency.depends_on:
            where = f"$.predicate.dependencies[{number}]"
            sources = parts.part(dependency.ref, where=f"{where}.ref")
            for place, reference in enumerate(dependency.depends_on):
                if sources:
                    derived(delta, sources, parts.part(reference, where=f"{where}.dependsOn[{place}]"))


def _reached(told: Bom, main: Component | None) -> set[str]:
    """References to which dependencies lead from the BOM's component."""
    if main is None or not main.bom_ref:
        return set()
    leads: dict[str, list[str]] = {}
    for dependency in told.dependencies:
        leads.setdefault(dependency.ref, []).extend(dependency.depends_on)
    waiting, reached = [main.bom_ref], {main.bom_ref}
    while waiting:
        for reference in leads.get(waiting.pop(), ()):
            if reference not in reached:
                reached.add(reference)
                waiting.append(reference)
    return reached


def _assemble(delta: Delta, told: Bom, parts: Parts) -> None:
    """Components inside components, what a component descends from, and what a model was trained on."""
    for component, path in (
        *walk_from(told.metadata.component, _MAIN),
        *walk(told.components, "$.predicate.components"),
    ):
        if not parts.is_part(component):
            continue
        inner = [each for each in component.components if parts.is_part(each)]
        ancestors = component.pedigree.ancestors if component.pedigree else ()
        for each in (*inner, *ancestors):
            derived(delta, parts.of(component), parts.of(each))
        for number, data in enumerate(trained_on(component)):
            where = f"{path}.modelCard.modelParameters.datasets[{number}]"
            keys = parts.part(data.ref, where=where) if data.ref else parts.of(data)
            for key in keys:
                delta.claim(key, ClaimKind.ROLE, "dataset")
            derived(delta, parts.of(component), keys)


def _describe(statement: Statement) -> Rows:
    told = bom(statement)
    main = told.metadata.component
    listed = []
    for component, path in walk(told.components, "$.predicate.components"):
        checked(component, where=path)
        listed.append(component)
    facts = rows(
        ("Format", f"CycloneDX {told.spec_version}"),
        ("Serial number", told.serial_number),
        ("Written", utc(told.metadata.timestamp, where="$.predicate.metadata.timestamp")),
        ("About", titled(main) if main else ""),
        ("Version", main.version if main else ""),
        ("Components", len(listed)),
        ("Tasks", len(tasks(told.formulation)) or None),
        ("Composition", sorted({each.aggregate for each in told.compositions})),
    )
    shown = tuple(("Component", clean(_told(each))) for each in listed[:20])
    more = (("Component", f"and {len(listed) - 20:,} more"),) if len(listed) > 20 else ()
    return facts + (card(main) if main else ()) + shown + more


def _told(component: Component) -> str:
    version = f" {component.version}" if component.version else ""
    digest = "with a digest" if component.hashes else "no digest: a gap"
    return f"{titled(component)}{version} ({component.type}), {digest}"


PREDICATE = PredicateType(
    uris=("https://cyclonedx.org/bom", *(f"https://cyclonedx.org/bom/v{version}" for version in VERSIONS)),
    slug="cyclonedx",
    title="CycloneDX",
    summary="Lists what something is composed of, as a CycloneDX bill of materials.",
    project=_project,
    describe=_describe,
    example="cyclonedx.json",
)
