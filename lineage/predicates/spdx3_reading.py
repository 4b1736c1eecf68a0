"""SPDX 3.0 documents in JSON-LD, in the form that both versions of SPDX share here.

Reads the Core, Software, AI, Dataset, Build and SimpleLicensing profiles, as far as lineage is concerned.
Source: SPDX specification 3.0.1 and its JSON-LD context: type and member names are the compact ones.
"""

from __future__ import annotations

import re

import msgspec

from lineage.errors import MalformedError
from lineage.predicates.base import Rows
from lineage.predicates.composition import digest_set
from lineage.predicates.members import rows
from lineage.predicates.spdx_parts import MAX_ELEMENTS, ROLES, Document, Element, Relation, algorithm
from lineage.predicates.wire import Wire, limited, read, required, utc
from lineage.trust.statement import Statement

_CONTEXT = re.compile(r"https://spdx\.org/rdf/(3\.0(?:\.[0-9]{1,3})?)/spdx-context\.jsonld", re.ASCII)
_SOFTWARE = frozenset(
    {
        "ai_AIPackage",
        "build_Build",
        "dataset_DatasetPackage",
        "software_File",
        "software_Package",
        "software_Snippet",
    }
)
_BILLS = frozenset({"Bom", "Bundle", "SpdxDocument", "software_Sbom"})
_PROFILE_ROLES = {"ai_AIPackage": "model", "dataset_DatasetPackage": "dataset", "software_File": "file"}
_NOTHING = frozenset({"NoneElement", "NoAssertionElement"})
"""Individuals of the Core profile that stand for nothing, and for nothing said; as terms or whole IRIs."""

_LICENSES = ("hasDeclaredLicense", "hasConcludedLicense")


class _Hash(Wire, frozen=True):
    algorithm: str = ""
    hash_value: str = ""


class _Entry(Wire, frozen=True):
    key: str = ""
    value: str = ""


class _Created(Wire, frozen=True):
    created: str = ""


class _Node(Wire, frozen=True, rename=None):
    """Any object of the graph. Members that hold an object or its id are read as either."""

    type: str
    spdxId: str = ""  # noqa: N815 these are the members' names in JSON
    name: str = ""
    description: str = ""
    created: str = ""
    creationInfo: str | _Created = ""  # noqa: N815
    rootElement: tuple[str, ...] = ()  # noqa: N815
    verifiedUsing: tuple[_Hash | str, ...] = ()  # noqa: N815
    suppliedBy: str | msgspec.Raw = ""  # noqa: N815
    source: str = msgspec.field(name="from", default="")
    to: tuple[str, ...] = ()
    relationshipType: str = ""  # noqa: N815
    scope: str = ""
    simplelicensing_licenseExpression: str = ""  # noqa: N815
    software_packageVersion: str = ""  # noqa: N815
    software_packageUrl: str = ""  # noqa: N815
    software_downloadLocation: str = ""  # noqa: N815
    software_primaryPurpose: str = ""  # noqa: N815
    build_buildType: str = ""  # noqa: N815
    build_buildId: str = ""  # noqa: N815
    build_buildStartTime: str = ""  # noqa: N815
    build_buildEndTime: str = ""  # noqa: N815
    ai_typeOfModel: tuple[str, ...] = ()  # noqa: N815
    ai_domain: tuple[str, ...] = ()
    ai_informationAboutTraining: str = ""  # noqa: N815
    ai_informationAboutApplication: str = ""  # noqa: N815
    ai_limitation: str = ""
    ai_safetyRiskAssessment: str = ""  # noqa: N815
    ai_useSensitivePersonalInformation: str = ""  # noqa: N815
    ai_hyperparameter: tuple[_Entry, ...] = ()
    dataset_datasetType: tuple[str, ...] = ()  # noqa: N815
    dataset_datasetSize: int | None = None  # noqa: N815
    dataset_intendedUse: str = ""  # noqa: N815
    dataset_dataCollectionProcess: str = ""  # noqa: N815
    dataset_confidentialityLevel: str = ""  # noqa: N815
    dataset_hasSensitivePersonalInformation: str = ""  # noqa: N815


class _Spdx3(Wire, frozen=True):
    context: str = msgspec.field(name="@context")
    graph: tuple[_Node, ...] = msgspec.field(name="@graph")


_DECODER = msgspec.json.Decoder(_Spdx3)


def document(statement: Statement) -> Document:
    """The document that is a statement's predicate. Raises MalformedError, TooLargeError."""
    told = read(_DECODER, statement.predicate)
    version = _CONTEXT.fullmatch(told.context)
    if version is None:
        raise MalformedError(
            "This version of SPDX is not read here; 2.2, 2.3 and 3.0 are.", where="$.predicate.@context"
        )
    limited(told.graph, MAX_ELEMENTS, where="$.predicate.@graph")
    nodes = _by_id(told.graph)
    relations = _relations(told.graph)
    licenses = _licenses(relations, nodes)
    elements = {
        node.spdxId: _element(node, nodes, licenses.get(node.spdxId, ()), f"$.predicate.@graph[{number}]")
        for number, node in enumerate(told.graph)
        if node.type in _SOFTWARE
    }
    bill = next((node for node in told.graph if node.type == "SpdxDocument"), None)
    created = next((node.created for node in told.graph if node.created), "")
    return Document(
        f"SPDX {version[1]}",
        bill.name if bill else "",
        utc(created, where="$.predicate.@graph"),
        elements,
        tuple(relations),
        _roots(told.graph, relations, nodes, elements),
    )


def _by_id(graph: tuple[_Node, ...]) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    for number, node in enumerate(graph):
        if node.type in _SOFTWARE:
            required(node.spdxId, where=f"$.predicate.@graph[{number}].spdxId")
        if node.spdxId and nodes.setdefault(node.spdxId, node) is not node:
            raise MalformedError("Two elements have this id.", where=f"$.predicate.@graph[{number}].spdxId")
    return nodes


def _relations(graph: tuple[_Node, ...]) -> list[Relation]:
    found: list[Relation] = []
    for node in graph:
        if node.relationshipType:
            ends = [to for to in node.to if to.rpartition("/")[2] not in _NOTHING]
            found += [Relation(node.source, node.relationshipType, to, node.scope) for to in ends]
            limited(found, MAX_ELEMENTS, where="$.predicate.@graph")
    return found


def _licenses(relations: list[Relation], nodes: dict[str, _Node]) -> dict[str, tuple[str, ...]]:
    """Of each element its declared licenses, or else those that were concluded."""
    found: dict[str, tuple[str, ...]] = {}
    for word in reversed(_LICENSES):
        said: dict[str, tuple[str, ...]] = {}
        for each in relations:
            if each.type == word:
                license_ = nodes.get(each.target)
                text = license_.simplelicensing_licenseExpression if license_ else ""
                said[each.source] = (*said.get(each.source, ()), text or each.target.rpartition("/")[2])
        found |= said
    return found


def _roots(
    graph: tuple[_Node, ...],
    relations: list[Relation],
    nodes: dict[str, _Node],
    elements: dict[str, Element],
) -> tuple[str, ...]:
    """What the document, and the bills that it holds, describe."""
    bills = [node for node in graph if node.type in _BILLS]
    named = [root for node in bills for root in node.rootElement]
    held = {node.spdxId for node in bills}
    named += [each.target for each in relations if each.type == "describes" and each.source in held]
    return tuple(dict.fromkeys(root for root in named if root in elements and nodes[root].type in _SOFTWARE))


def _element(node: _Node, nodes: dict[str, _Node], licenses: tuple[str, ...], where: str) -> Element:
    supplier = nodes.get(node.suppliedBy) if isinstance(node.suppliedBy, str) else None
    hashes = [each for each in node.verifiedUsing if isinstance(each, _Hash) and each.algorithm]
    purpose = ROLES.get(node.software_primaryPurpose, "")
    return Element(
        id=node.spdxId,
        where=where,
        name=node.name or node.build_buildId,
        version=node.software_packageVersion,
        digests=digest_set(
            ((algorithm(each.algorithm), each.hash_value) for each in hashes), where=f"{where}.verifiedUsing"
        ),
        purl=node.software_packageUrl,
        location=node.software_downloadLocation,
        role=purpose or _PROFILE_ROLES.get(node.type, ""),
        supplier=supplier.name if supplier else "",
        licenses=licenses,
        details=_details(node),
        is_build=node.type == "build_Build",
        started=utc(node.build_buildStartTime, where=f"{where}.build_buildStartTime"),
        ended=utc(node.build_buildEndTime, where=f"{where}.build_buildEndTime"),
    )


def _details(node: _Node) -> Rows:
    settings = "; ".join(f"{each.key} = {each.value}" for each in node.ai_hyperparameter[:30])
    return rows(
        ("Description", node.description),
        ("Build type", node.build_buildType),
        ("Type of model", node.ai_typeOfModel),
        ("Domain", node.ai_domain),
        ("About its training", node.ai_informationAboutTraining),
        ("Intended use", node.ai_informationAboutApplication or node.dataset_intendedUse),
        ("Limitations", node.ai_limitation),
        ("Safety risk", node.ai_safetyRiskAssessment),
        ("Parameters", settings),
        ("Kind of data", node.dataset_datasetType),
        ("Size", node.dataset_datasetSize),
        ("Collected by", node.dataset_dataCollectionProcess),
        ("Confidentiality", node.dataset_confidentialityLevel),
        (
            "Sensitive personal data",
            node.ai_useSensitivePersonalInformation or node.dataset_hasSensitivePersonalInformation,
        ),
    )
