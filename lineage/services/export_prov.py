"""A closure as PROV-JSON: artifacts are entities, runs and deployments activities, the rest agents.

A node key is a qualified name: its scheme is the prefix. What PROV has no word for is `lineage:…`.
An edge whose every signer is revoked is no relation, but an attribute of what it began at.
Source: W3C PROV-DM; PROV-JSON (W3C member submission of 24 April 2013).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from lineage.graph.model import EdgeType, NodeKind
from lineage.services.export_records import Export, ExportFormat, ExportNode
from lineage.services.json_pieces import pieces
from lineage.services.lineage_records import EdgeRecord

_RECORDS = {
    NodeKind.ARTIFACT: "entity",
    NodeKind.PLACE: "entity",
    NodeKind.RUN: "activity",
    NodeKind.DEPLOYMENT: "activity",
    NodeKind.HARDWARE: "agent",
    NodeKind.SIGNER: "agent",
    NodeKind.SUPPLIER: "agent",
}
_RELATIONS = {
    (EdgeType.USED, "activity", "entity"): ("used", "activity", "entity"),
    (EdgeType.WAS_GENERATED_BY, "entity", "activity"): ("wasGeneratedBy", "entity", "activity"),
    (EdgeType.WAS_DERIVED_FROM, "entity", "entity"): ("wasDerivedFrom", "generatedEntity", "usedEntity"),
    (EdgeType.SAME_AS, "entity", "entity"): ("alternateOf", "alternate1", "alternate2"),
    (EdgeType.WAS_ATTRIBUTED_TO, "entity", "agent"): ("wasAttributedTo", "entity", "agent"),
    (EdgeType.WAS_ATTRIBUTED_TO, "activity", "agent"): ("wasAssociatedWith", "activity", "agent"),
    (EdgeType.WAS_ASSOCIATED_WITH, "activity", "agent"): ("wasAssociatedWith", "activity", "agent"),
}
"""Edge and what its ends are → PROV's relation and what it calls them; any other is an influence."""
_INFLUENCE = ("wasInfluencedBy", "influencee", "influencer")

Attributes = dict[str, object]


def write(export: Export) -> Iterator[bytes]:
    records = {node.key: _RECORDS[NodeKind(node.kind)] for node in export.nodes}
    gaps, revoked = defaultdict(list), export.revoked_edges()
    for gap in export.gaps:
        gaps[gap.key].append(f"{gap.slug}: {gap.what}")
    told: dict[str, dict[str, Attributes]] = {"entity": {"lineage:export": _about(export)}}
    for node in export.nodes:
        told.setdefault(records[node.key], {})[node.key] = _node(
            node, gaps[node.key], revoked.get(node.key, [])
        )
    for number, edge in enumerate(export.believed_edges()):
        ends = (EdgeType(edge.type), records[edge.source], records[edge.target])
        relation, source, target = _RELATIONS.get(ends, _INFLUENCE)
        attributes = _edge(edge)
        told.setdefault(relation, {})[f"_:e{number}"] = {
            f"prov:{source}": edge.source, f"prov:{target}": edge.target, **attributes,
        }  # fmt: skip
    schemes = sorted({node.scheme for node in export.nodes})
    prefix = {"lineage": "urn:lineage:", **{scheme: f"urn:lineage:node:{scheme}:" for scheme in schemes}}
    return pieces({"prefix": prefix, **told}, {})


def _about(export: Export) -> Attributes:
    return {
        "prov:label": export.sentence,
        "lineage:root": {"$": export.root, "type": "prov:QUALIFIED_NAME"},
        "lineage:log": export.log,
        "lineage:treeSize": export.tree_size,
        "lineage:graphAt": export.graph_at,
        "lineage:at": _time(export.at),
        "lineage:gaps": len(export.gaps),
    }


def _node(node: ExportNode, gaps: list[str], revoked: list[str]) -> Attributes:
    told: Attributes = {
        "prov:label": node.name,
        "prov:type": [f"lineage:{word}" for word in (node.kind, *node.roles)],
        "lineage:status": node.status,
        "lineage:tainted": node.tainted,
        "lineage:trust": node.trust,
    }
    if node.kind in (NodeKind.RUN, NodeKind.DEPLOYMENT):
        told |= {
            name: value
            for name, value in (("prov:startTime", node.started), ("prov:endTime", node.ended))
            if value
        }
    for name, values in (
        ("lineage:reason", node.reasons),
        ("lineage:note", node.notes),
        ("lineage:logEntry", node.log_entries),
        ("lineage:activity", (node.activity,) if node.activity else ()),
        ("lineage:fact", [f"{fact.label}: {fact.value} ({fact.trust})" for fact in node.facts]),
        ("lineage:gap", gaps),
        ("lineage:revoked", revoked),
    ):
        if values:
            told[name] = list(values)
    return told


def _edge(edge: EdgeRecord) -> Attributes:
    return {"lineage:trust": edge.trust, "lineage:logEntry": list(edge.support)}


def _time(text: str) -> dict[str, str]:
    return {"$": text, "type": "xsd:dateTime"}


FORMAT = ExportFormat("prov-json", "PROV-JSON", "application/json", "prov.json", write)
