"""A closure as CycloneDX 1.7: an ML-BOM of the artifact, how it was made, and what is not known.

Artifacts are components, with the artifact itself as the BOM's subject; runs are workflows of the
formulation, with their inputs, outputs and machines; statuses, trust and gaps are properties `lineage:…`.
Only direct derivations are dependencies: what a run used for what it made stands in its workflow. What only
revoked signers say is a property, and no dependency, input or output.
Source: CycloneDX 1.7 (ECMA-424), JSON schema.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from lineage.errors import MalformedError
from lineage.graph.model import EdgeType, NodeKind
from lineage.services.export_records import (
    NOT_RECORDED,
    Export,
    ExportFile,
    ExportFormat,
    ExportNode,
    entries,
)
from lineage.services.json_pieces import pieces
from lineage.services.lineage_records import EdgeRecord

Json = dict[str, object]

_ALGORITHMS = {
    "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512", "sha3_256": "SHA3-256", "blake3": "BLAKE3",
}  # fmt: skip
_TYPES = {
    **dict.fromkeys(("model", "adapter", "checkpoint"), "machine-learning-model"),
    **dict.fromkeys(("dataset", "config", "code"), "data"),
    "library": "library",
    "container": "container",
}
_DATA = {"dataset": "dataset", "config": "configuration", "code": "source-code"}
_TASKS = {"build": "build", "merge": "merge", "evaluation": "test", "deployment": "deploy"}


class _Around:
    """What touches each node, by kind of edge; keys in order."""

    def __init__(self, export: Export) -> None:
        self.nodes: Mapping[str, ExportNode] = {node.key: node for node in export.nodes}
        self.causes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.made: dict[str, list[str]] = defaultdict(list)
        self.gaps: dict[str, list[str]] = defaultdict(list)
        self.revoked = export.revoked_edges()
        self.edges: dict[tuple[str, str, str], EdgeRecord] = {}
        for edge in export.believed_edges():
            self.causes[edge.source, edge.type].append(edge.target)
            self.edges[edge.source, edge.type, edge.target] = edge
            if edge.type == EdgeType.WAS_GENERATED_BY:
                self.made[edge.target].append(edge.source)
        for gap in export.gaps:
            self.gaps[gap.key].append(f"{gap.slug}: {gap.what}")
        self.files: dict[str, list[ExportFile]] = defaultdict(list)
        for file in export.files:
            self.files[file.folder].append(file)

    def of_kind(self, key: str, edge: EdgeType, kind: NodeKind) -> list[ExportNode]:
        found = (self.nodes[target] for target in self.causes[key, edge])
        return [node for node in found if node.kind == kind]


def write(export: Export) -> Iterator[bytes]:
    """Raises: MalformedError where the root is no artifact."""
    root, *others = export.nodes
    if root.kind != NodeKind.ARTIFACT:
        raise MalformedError("A bill of materials is about an artifact.", where="key")
    around = _Around(export)
    artifacts = [node for node in others if node.kind == NodeKind.ARTIFACT]
    runs = [node for node in others if node.kind == NodeKind.RUN]
    machines = [node for node in others if node.kind == NodeKind.HARDWARE]
    head: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{_serial(export)}",
        "version": 1,
        "metadata": _metadata(export, _model(root, around)),
        "compositions": [
            {
                "aggregate": "incomplete" if export.gaps else "unknown",
                "assemblies": [root.key],
                "dependencies": [root.key],
            }
        ],
    }
    formula: Json = {
        "components": [_component(node, around) | {"type": "device"} for node in machines],
        "workflows": [_workflow(node, around) for node in runs],
    }
    lists: dict[str, Iterable[object]] = {
        "components": (_component(node, around) for node in artifacts),
        "dependencies": (_dependency(node, around) for node in (root, *artifacts)),
    }
    return pieces(head, lists | ({"formulation": [formula]} if runs or machines else {}))


def _serial(export: Export) -> uuid.UUID:
    """The same for the same moment of the same node."""
    return uuid.uuid5(
        uuid.NAMESPACE_URL, f"urn:lineage:export:{export.log}:{export.root}:{export.tree_size}:{export.at}"
    )


def _metadata(export: Export, component: Json) -> Json:
    told = {
        "about": export.sentence,
        "log": export.log,
        "treeSize": export.tree_size,
        "graphAt": export.graph_at,
        "gaps": len(export.gaps),
        **({"filesCut": f"Only the first {len(export.files)} files are listed."} if export.files_cut else {}),
        **{f"nodes:{status}": count for status, count in export.counts.items()},
    }
    return {
        "timestamp": export.at,
        "tools": {"components": [{"type": "application", "name": "Lineage"}]},
        "component": component,
        "properties": _properties(told.items()),
    }


def _model(root: ExportNode, around: _Around) -> Json:
    """The BOM's subject. A model's card has what is recorded, and says what is not."""
    component = _component(root, around)
    component.setdefault("licenses", [{"license": {"name": NOT_RECORDED}}])
    component.setdefault("supplier", {"name": NOT_RECORDED})
    component.setdefault("version", NOT_RECORDED)
    if component["type"] != "machine-learning-model":
        return component
    datasets = [node.key for node in _data_of(root, around)]
    component["modelCard"] = {
        "modelParameters": {
            "task": _first(root, "Task"),
            "architectureFamily": _first(root, "Architecture family", "Architecture"),
            "datasets": [{"ref": key} for key in datasets],
        },
        "considerations": {
            "users": [NOT_RECORDED],
            "useCases": [_first(root, "Intended use")],
            "technicalLimitations": [_first(root, "Limitations")],
        },
    }
    return component


def _data_of(root: ExportNode, around: _Around) -> list[ExportNode]:
    """Datasets that it was derived from, and that the runs that made it used."""
    sources = list(around.causes[root.key, EdgeType.WAS_DERIVED_FROM])
    for run in around.causes[root.key, EdgeType.WAS_GENERATED_BY]:
        sources += around.causes[run, EdgeType.USED]
    found = (around.nodes[key] for key in dict.fromkeys(sources))
    return [node for node in found if "dataset" in node.roles]


def _first(node: ExportNode, *labels: str) -> str:
    return next((value for label in labels for value in node.said(label)), NOT_RECORDED)


def _component(node: ExportNode, around: _Around) -> Json:
    kind = next((_TYPES[role] for role in node.roles if role in _TYPES), "file")
    told: Json = {"type": kind, "bom-ref": node.key, "name": node.name or node.key}
    if versions := node.said("version"):
        told["version"] = versions[0][:1024]
    if descriptions := node.said("Description"):
        told["description"] = descriptions[0]
    suppliers = around.of_kind(node.key, EdgeType.WAS_ATTRIBUTED_TO, NodeKind.SUPPLIER)
    if suppliers:
        told["supplier"] = {"name": suppliers[0].name}
    if node.scheme in _ALGORITHMS:
        told["hashes"] = [{"alg": _ALGORITHMS[node.scheme], "content": node.digest}]
    if licenses := node.said("license"):
        told["licenses"] = [{"license": {"name": text}} for text in licenses]
    if kind == "data":
        role = next(role for role in node.roles if role in _DATA)
        told["data"] = [{"type": _DATA[role], "name": node.name or node.key}]
    told["properties"] = _about(node, around)
    if files := around.files[node.key]:
        told["components"] = [_file(file) for file in files]
    return told


def _file(file: ExportFile) -> Json:
    """A file of a folder: no `bom-ref`, since it may be in many and nothing in the BOM refers to it."""
    algorithm, _, content = file.key.partition(":")
    told = [("key", file.key), ("trust", file.trust), ("logEntry", file.log_index)]
    return {
        "type": "file",
        "name": file.path,
        "hashes": [{"alg": _ALGORITHMS[algorithm], "content": content}],
        "properties": _properties(told),
    }


def _about(node: ExportNode, around: _Around) -> list[Json]:
    told: list[tuple[str, object]] = [("status", node.believed), ("trust", node.trust), ("key", node.key)]
    told += [("role", role) for role in node.roles]
    told += [("logEntry", index) for index in node.log_entries]
    told += [
        ("derivedFrom", f"{key}, {_trusted(around.edges[node.key, EdgeType.WAS_DERIVED_FROM, key])}")
        for key in around.causes[node.key, EdgeType.WAS_DERIVED_FROM]
    ]
    told += [("revoked", text) for text in around.revoked.get(node.key, ())]
    told += [("sameAs", key) for key in around.causes[node.key, EdgeType.SAME_AS]]
    told += [
        (f"said:{fact.label}", f"{fact.value} ({fact.trust})")
        for fact in node.facts
        if fact.label not in ("version", "license")
    ]
    for kind, word, edge in (
        (NodeKind.SUPPLIER, "supplier", EdgeType.WAS_ATTRIBUTED_TO),
        (NodeKind.SIGNER, "signer", EdgeType.WAS_ATTRIBUTED_TO),
        (NodeKind.PLACE, "place", EdgeType.AT_LOCATION),
    ):
        told += [(word, other.name or other.key) for other in around.of_kind(node.key, edge, kind)]
    told += [("gap", gap) for gap in around.gaps[node.key]]
    return _properties(told)


def _properties(pairs: Iterable[tuple[str, object]]) -> list[Json]:
    return [{"name": f"lineage:{name}", "value": str(value)} for name, value in pairs]


def _dependency(node: ExportNode, around: _Around) -> Json:
    targets = [*around.causes[node.key, EdgeType.WAS_DERIVED_FROM]]
    return {"ref": node.key, "dependsOn": targets} if targets else {"ref": node.key}


def _workflow(run: ExportNode, around: _Around) -> Json:
    told: Json = {
        "bom-ref": run.key,
        "uid": run.key,
        "name": run.name or run.key,
        "taskTypes": [_TASKS.get(run.activity, "other")],
        "properties": _about(run, around) + _properties([("activity", run.activity or NOT_RECORDED)]),
    }
    used, made = around.causes[run.key, EdgeType.USED], around.made[run.key]
    machines = around.causes[run.key, EdgeType.WAS_ASSOCIATED_WITH]
    if used:
        told["inputs"] = [_put(key, around.edges[run.key, EdgeType.USED, key]) for key in used]
    if made:
        told["outputs"] = [_put(key, around.edges[key, EdgeType.WAS_GENERATED_BY, run.key]) for key in made]
    if machines:
        told["resourceReferences"] = [{"ref": key} for key in machines]
    for name, time in (("timeStart", run.started), ("timeEnd", run.ended)):
        if time:
            told[name] = time
    return told


def _put(key: str, edge: EdgeRecord) -> Json:
    return {"resource": {"ref": key}, "properties": _properties([("trust", _trusted(edge))])}


def _trusted(edge: EdgeRecord) -> str:
    return f"{edge.trust}, {entries(edge)}"


FORMAT = ExportFormat("cyclonedx", "CycloneDX 1.7", "application/vnd.cyclonedx+json", "cdx.json", write)
