"""A closure as SPDX 3.0.1 in JSON-LD: models, datasets and packages, builds with inputs and outputs.

Statuses, trust and gaps are annotations. What nobody has said is NoAssertion. The profiles AI and Dataset
demand times of release and other things that no log records, so the document claims no conformance to them,
and its comment says so. Source: SPDX 3.0.1, and its JSON-LD context.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from lineage.errors import MalformedError
from lineage.graph.model import EdgeType, NodeKind
from lineage.services.export_records import NOT_RECORDED, Export, ExportFormat, ExportNode, entries
from lineage.services.json_pieces import pieces

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
NO_LICENSE = "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"
MAX_TRAINED_ON = 50_000
"""Pairs of model and dataset that are spelled out as trainedOn."""

_CREATED = "_:creationInfo"
_LINEAGE = "urn:lineage:export:tool"
_DOCUMENT, _BILL = "urn:lineage:export:document", "urn:lineage:export:sbom"
_AI = frozenset({"model", "adapter", "checkpoint"})
_TRAINING = frozenset({"training", "fine-tuning", "pre-training", "pretraining"})
_PURPOSES = {
    "model": "model", "adapter": "model", "checkpoint": "model", "dataset": "data", "code": "source",
    "config": "configuration", "library": "library", "container": "container",
}  # fmt: skip
_HASHES = frozenset({"sha256", "sha384", "sha512", "sha3_256", "blake3"})
_HONEST = (
    "The profiles ai and dataset are left out of profileConformance: times of release, and other things that"
    " they demand, are not recorded."
)

Json = dict[str, object]


def write(export: Export) -> Iterator[bytes]:
    """Raises: MalformedError where the root is no artifact; TooLargeError."""
    if export.nodes[0].kind != NodeKind.ARTIFACT:
        raise MalformedError("A bill of materials is about an artifact.", where="key")
    return pieces({"@context": CONTEXT}, {"@graph": _graph(export)})


def _graph(export: Export) -> Iterator[Json]:
    nodes = {node.key: node for node in export.nodes}
    suppliers: dict[str, str] = {}
    revoked = export.revoked_edges()
    for edge in export.believed_edges():
        if edge.type == EdgeType.WAS_ATTRIBUTED_TO and nodes[edge.target].kind == NodeKind.SUPPLIER:
            suppliers.setdefault(edge.source, edge.target)
    yield from _frame(export)
    for node in export.nodes:
        if (element := _element(node, suppliers.get(node.key, ""))) is not None:
            yield element
            yield from _licenses(node)
            yield _annotation(node, node.believed, f"Trust: {node.trust}.", _entries(node))
            for text in revoked.get(node.key, ()):
                yield _annotation(node, f"Said by revoked signers alone: {text}.")
    for gap in export.gaps:
        if _is_told(nodes[gap.key]):
            yield _annotation(nodes[gap.key], f"Gap, {gap.slug}: {gap.what}", f"{gap.closes}.", "")
    yield from _relationships(export, nodes)
    yield from _files(export)


def _files(export: Export) -> Iterator[Json]:
    """Files of the folders, which contain them."""
    contained: dict[str, list[str]] = defaultdict(list)
    for file in export.files:
        algorithm, _, digest = file.key.partition(":")
        spdx_id = f"urn:lineage:file:{_sha256(file.folder, file.path, file.key)}"
        contained[file.folder].append(spdx_id)
        yield _named("software_File", spdx_id, file.path) | {
            "verifiedUsing": [{"type": "Hash", "algorithm": algorithm, "hashValue": digest}],
            "comment": f"Trust: {file.trust}, entry {file.log_index}.",
        }
    cut = {"comment": "There are more files than are listed here."} if export.files_cut else {}
    for folder, files in contained.items():
        yield _relationship(folder, "contains", files, **cut)


def _frame(export: Export) -> Iterator[Json]:
    yield {
        "type": "CreationInfo", "@id": _CREATED, "specVersion": "3.0.1", "created": _second(export.at),
        "createdBy": [_LINEAGE],
    }  # fmt: skip
    yield _named("SoftwareAgent", _LINEAGE, "Lineage")
    yield _named("SpdxDocument", _DOCUMENT, f"Lineage of {_called(export.nodes[0])}") | {
        "comment": f"{export.sentence} {_HONEST}",
        "profileConformance": ["core", "software", "simpleLicensing", "build"],
        "rootElement": [_BILL],
    }
    yield _named("software_Sbom", _BILL, f"Lineage of {_called(export.nodes[0])}") | {
        "rootElement": [_id(export.root)],
        "software_sbomType": ["build"],
    }


def _named(kind: str, spdx_id: str, name: str) -> Json:
    return {"type": kind, "spdxId": spdx_id, "creationInfo": _CREATED, "name": name}


def _id(key: str) -> str:
    return f"urn:lineage:node:{key}"


def _called(node: ExportNode) -> str:
    return node.name or node.key


def _second(text: str) -> str:
    """SPDX knows no fractions of a second."""
    return f"{text[:19]}Z"


def _is_told(node: ExportNode) -> bool:
    """Machines, places and signers have no element; whom a status names is in its annotation."""
    return node.kind in (NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.SUPPLIER)


def _element(node: ExportNode, supplier: str) -> Json | None:
    if node.kind == NodeKind.SUPPLIER:
        return _named("Organization", _id(node.key), _called(node))
    if node.kind == NodeKind.RUN:
        return _build(node)
    if node.kind != NodeKind.ARTIFACT:
        return None
    role = next((role for role in node.roles if role in _PURPOSES), "")
    kind = (
        "ai_AIPackage"
        if role in _AI
        else "dataset_DatasetPackage"
        if role == "dataset"
        else "software_Package"
    )
    told = _named(kind, _id(node.key), _called(node))
    if role:
        told["software_primaryPurpose"] = _PURPOSES[role]
    if versions := node.said("version"):
        told["software_packageVersion"] = versions[0]
    if descriptions := node.said("Description"):
        told["description"] = descriptions[0]
    if supplier:
        told["suppliedBy"] = _id(supplier)
    told |= _digest(node)
    if kind == "ai_AIPackage":
        told |= _of_model(node)
    elif kind == "dataset_DatasetPackage":
        told |= {
            "dataset_datasetType": ["noAssertion"],
            "dataset_hasSensitivePersonalInformation": "noAssertion",
            "dataset_intendedUse": _first(node, "Intended use"),
        }
    return told


def _digest(node: ExportNode) -> Json:
    if node.scheme in _HASHES:
        return {"verifiedUsing": [{"type": "Hash", "algorithm": node.scheme, "hashValue": node.digest}]}
    if node.scheme == "dirHash":
        told = {
            "type": "Hash",
            "algorithm": "other",
            "hashValue": node.digest,
            "comment": "dirHash of in-toto",
        }
        return {"verifiedUsing": [told]}
    return {"comment": "Named without a digest: which bytes were meant can't be told."}


def _of_model(node: ExportNode) -> Json:
    told: Json = {
        "ai_autonomyType": "noAssertion",
        "ai_useSensitivePersonalInformation": "noAssertion",
        "ai_informationAboutTraining": NOT_RECORDED,
        "ai_informationAboutApplication": _first(node, "Intended use"),
        "ai_limitation": _first(node, "Limitations"),
    }
    if kinds := node.said("Architecture"):
        told["ai_typeOfModel"] = kinds
    return told


def _first(node: ExportNode, label: str) -> str:
    return next(iter(node.said(label)), NOT_RECORDED)


def _build(run: ExportNode) -> Json:
    told = _named("build_Build", _id(run.key), _called(run)) | {
        "build_buildType": f"urn:lineage:activity:{run.activity or 'unknown'}",
        "build_buildId": run.key,
    }
    for member, time in (("build_buildStartTime", run.started), ("build_buildEndTime", run.ended)):
        if time:
            told[member] = _second(time)
    return told


def _entries(node: ExportNode) -> str:
    listed = ", ".join(map(str, node.log_entries))
    return f"Entries of the log about it: {listed}." if listed else "No entry of the log is about it."


def _annotation(node: ExportNode, *sentences: str) -> Json:
    text = " ".join(filter(None, sentences))
    return {
        "type": "Annotation", "spdxId": f"urn:lineage:annotation:{_sha256(node.key, text)}",
        "creationInfo": _CREATED, "annotationType": "other", "contentType": "text/plain",
        "subject": _id(node.key), "statement": text,
    }  # fmt: skip


def _licenses(node: ExportNode) -> Iterator[Json]:
    """Licenses are told in the words of whoever signed them; of what has none nothing is asserted."""
    if node.kind != NodeKind.ARTIFACT:
        return
    ids = []
    for text in node.said("license"):
        ids.append(f"urn:lineage:license:{_sha256(node.key, text)}")
        yield _named("simplelicensing_SimpleLicensingText", ids[-1], text) | {
            "simplelicensing_licenseText": text
        }
    yield _relationship(node.key, "hasDeclaredLicense", ids or [NO_LICENSE])


def _relationship(source: str, kind: str, targets: list[str], **members: object) -> Json:
    """`targets` are ids; of a relationship it is never said that it is all there is."""
    return {
        "type": "Relationship", "spdxId": f"urn:lineage:relationship:{_sha256(source, kind, *targets)}",
        "creationInfo": _CREATED, "from": _id(source), "relationshipType": kind, "to": targets,
        "completeness": "noAssertion", **members,
    }  # fmt: skip


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _relationships(export: Export, nodes: dict[str, ExportNode]) -> Iterator[Json]:
    used, made = defaultdict(list), defaultdict(list)
    for edge in export.believed_edges():
        told = f"Trust: {edge.trust}, {entries(edge)}."
        target = [_id(edge.target)]
        if edge.type == EdgeType.WAS_DERIVED_FROM:
            yield _relationship(edge.source, "descendantOf", target, comment=told)
        elif edge.type == EdgeType.USED and nodes[edge.source].kind == NodeKind.RUN:
            used[edge.source].append(edge.target)
            yield _relationship(edge.source, "hasInput", target, comment=told)
        elif edge.type == EdgeType.WAS_GENERATED_BY:
            made[edge.source].append(edge.target)
            yield _relationship(edge.target, "hasOutput", [_id(edge.source)], comment=told)
        elif edge.type == EdgeType.SAME_AS:
            same = f"The same bytes under another digest. {told}"
            yield _relationship(edge.source, "other", target, comment=same)
    yield from _trained(nodes, used, made)


def _trained(
    nodes: dict[str, ExportNode], used: dict[str, list[str]], made: dict[str, list[str]]
) -> Iterator[Json]:
    """What a model's training used as a dataset, as long as that is not endless."""
    left = MAX_TRAINED_ON
    for model, runs in made.items():
        datasets = [
            _id(key)
            for run in runs
            if nodes[run].activity in _TRAINING and not _AI.isdisjoint(nodes[model].roles)
            for key in used[run]
            if "dataset" in nodes[key].roles
        ]
        left -= len(datasets)
        if datasets and left >= 0:
            yield _relationship(model, "trainedOn", list(dict.fromkeys(datasets)))


FORMAT = ExportFormat("spdx", "SPDX 3.0.1", "application/spdx+json", "spdx3.json", write)
