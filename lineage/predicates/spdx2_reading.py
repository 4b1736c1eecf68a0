"""SPDX 2.2 and 2.3 documents in JSON, in the form that both versions of SPDX share here.

Source: SPDX specification 2.3, clauses 6 to 11, and its JSON schema.
"""

from __future__ import annotations

import re

import msgspec

from lineage.errors import MalformedError
from lineage.predicates.composition import digest_set
from lineage.predicates.members import rows
from lineage.predicates.spdx_parts import (
    MAX_ELEMENTS,
    NOTHING_SAID,
    ROLES,
    Document,
    Element,
    Relation,
    algorithm,
)
from lineage.predicates.wire import Wire, limited, read, required, utc
from lineage.trust.statement import Statement

VERSIONS = ("SPDX-2.2", "SPDX-2.3")
_AGENT = re.compile(r"(?:Person|Organization): (.+?)(?: \([^()]*\))?", re.DOTALL)

TYPES = {
    "ANCESTOR_OF": ("ancestorOf", False),
    "BUILD_DEPENDENCY_OF": ("dependsOn", True),
    "CONTAINED_BY": ("contains", True),
    "CONTAINS": ("contains", False),
    "DEPENDENCY_OF": ("dependsOn", True),
    "DEPENDS_ON": ("dependsOn", False),
    "DESCENDANT_OF": ("descendantOf", False),
    "DISTRIBUTION_ARTIFACT": ("hasDistributionArtifact", False),
    "EXPANDED_FROM_ARCHIVE": ("expandsTo", True),
    "GENERATED_FROM": ("generates", True),
    "GENERATES": ("generates", False),
    "PATCH_FOR": ("patchedBy", True),
    "RUNTIME_DEPENDENCY_OF": ("dependsOn", True),
    "STATIC_LINK": ("hasStaticLink", False),
}
"""Relationships that become lineage: SPDX 3's word for each, and whether its ends change places."""


class _Checksum(Wire, frozen=True):
    algorithm: str
    checksum_value: str


class _ExternalRef(Wire, frozen=True):
    reference_type: str = ""
    reference_locator: str = ""


class _Item(Wire, frozen=True):
    """A package or a file."""

    id: str = msgspec.field(name="SPDXID")
    name: str = ""
    file_name: str = ""
    version_info: str = ""
    supplier: str = ""
    download_location: str = ""
    checksums: tuple[_Checksum, ...] = ()
    license_declared: str = ""
    license_concluded: str = ""
    external_refs: tuple[_ExternalRef, ...] = ()
    primary_package_purpose: str = ""
    description: str = ""
    has_files: tuple[str, ...] = ()


class _Relationship(Wire, frozen=True):
    spdx_element_id: str
    relationship_type: str
    related_spdx_element: str


class _CreationInfo(Wire, frozen=True):
    created: str = ""


class _Spdx2(Wire, frozen=True):
    spdx_version: str
    id: str = msgspec.field(name="SPDXID")
    name: str
    creation_info: _CreationInfo
    packages: tuple[_Item, ...] = ()
    files: tuple[_Item, ...] = ()
    relationships: tuple[_Relationship, ...] = ()
    document_describes: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(_Spdx2)


def document(statement: Statement) -> Document:
    """The document that is a statement's predicate. Raises MalformedError, TooLargeError."""
    told = read(_DECODER, statement.predicate)
    if told.spdx_version not in VERSIONS:
        raise MalformedError(
            f"{told.spdx_version[:20]!r} is not read here; SPDX 2.2, 2.3 and 3.0 are.",
            where="$.predicate.spdxVersion",
        )
    for member, listed in (
        ("packages", told.packages), ("files", told.files), ("relationships", told.relationships),
    ):  # fmt: skip
        limited(listed, MAX_ELEMENTS, where=f"$.predicate.{member}")
    elements: dict[str, Element] = {}
    for member, items in (("packages", told.packages), ("files", told.files)):
        for number, item in enumerate(items):
            element = _element(item, f"$.predicate.{member}[{number}]")
            if element.id in elements:
                raise MalformedError("Two elements have this SPDXID.", where=f"{element.where}.SPDXID")
            elements[element.id] = element
    roots = list(told.document_describes)
    for each in told.relationships:
        if each.relationship_type == "DESCRIBES" and each.spdx_element_id == told.id:
            roots.append(each.related_spdx_element)
        elif each.relationship_type == "DESCRIBED_BY" and each.related_spdx_element == told.id:
            roots.append(each.spdx_element_id)
    return Document(
        told.spdx_version.replace("-", " "),
        told.name,
        utc(told.creation_info.created, where="$.predicate.creationInfo.created"),
        elements,
        tuple(_relations(told)),
        tuple(dict.fromkeys(root for root in roots if root in elements)),
    )


def _relations(told: _Spdx2) -> list[Relation]:
    found = [Relation(item.id, "contains", file) for item in told.packages for file in item.has_files]
    limited(found, MAX_ELEMENTS, where="$.predicate.packages")
    for each in told.relationships:
        word, backwards = TYPES.get(each.relationship_type, ("", False))
        ends = (each.spdx_element_id, each.related_spdx_element)
        if word and not NOTHING_SAID.intersection(ends) and told.id not in ends:
            source, target = reversed(ends) if backwards else ends
            found.append(Relation(source, word, target))
    return found


def _element(item: _Item, where: str) -> Element:
    named = [item.license_declared, item.license_concluded]
    licenses = [text for text in named if text not in NOTHING_SAID]
    purls = [ref.reference_locator for ref in item.external_refs if ref.reference_type == "purl"]
    agent = _AGENT.fullmatch(item.supplier)
    return Element(
        id=required(item.id, where=f"{where}.SPDXID"),
        where=where,
        name=item.name or item.file_name,
        version=item.version_info,
        digests=digest_set(
            ((algorithm(each.algorithm), each.checksum_value) for each in item.checksums),
            where=f"{where}.checksums",
        ),
        purl=purls[0] if purls else "",
        location="" if item.download_location in NOTHING_SAID else item.download_location,
        role=ROLES.get(item.primary_package_purpose.lower(), "file" if item.file_name else ""),
        supplier=agent[1] if agent else "",
        licenses=tuple(licenses[:1]),
        details=rows(("Description", item.description)),
    )
