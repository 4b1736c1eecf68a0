"""What other projects signed, as lineage: SLSA provenance, links, summaries, Witness collections.

Whether a signature is good is for other tests: here each payload is read as if it were.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.errors import MalformedError
from lineage.graph.model import EdgeType, GraphDelta, NodeKind, run_key, uri_key
from lineage.trust import statement
from tests.unit.predicates.making import SIGNER

FAMILY = "dsse"
FAMILIES = ("dsse", "slsa", "in-toto")

KINDS = {
    "https://slsa.dev/provenance/v1": 4,
    "https://slsa.dev/provenance/v0.2": 7,
    "https://slsa.dev/verification_summary/v1": 1,
    "https://witness.testifysec.com/attestation-collection/v0.1": 3,
    "https://witness.testifysec.com/policy/v0.1": 2,
    "link": 1,
    # Not known here: about their subjects, without lineage.
    "https://slsa.dev/provenance/v0.1": 9,
    "https://slsa.dev/provenance/v1.0?draft": 1,
    # "hello world", "{}", nothing at all, a runtime policy of keylime's, a payload type of nobody's.
    "malformed": 5,
}
"""How many payloads of each type there are."""


def _envelope(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document.get("dsseEnvelope", document)


def _payloads(home: Path) -> Iterator[tuple[str, str, bytes]]:
    """(file, payload type, payload) of each envelope that has one, once."""
    seen = set()
    for family in FAMILIES:
        for case in json.loads((home / family / "expected.json").read_text()):
            key = (family, case["file"], case.get("pointer", ""))
            if key in seen:
                continue
            seen.add(key)
            try:
                document = json.loads((home / family / case["file"]).read_bytes())
                envelope = _envelope(document, case.get("pointer", ""))
                data = base64.b64decode(envelope["payload"], validate=True)
                yield "/".join(key), envelope["payloadType"], data
            except (ValueError, KeyError, TypeError, binascii.Error):
                continue  # a vector of what is no envelope: an archive, a Metablock, a broken payload


def _read(home: Path) -> dict[str, tuple[str, GraphDelta | None]]:
    found: dict[str, tuple[str, GraphDelta | None]] = {}
    for name, payload_type, data in _payloads(home):
        try:
            told = statement.parse(payload_type, data)
            found[name] = (told.predicate_type, predicates.project(told, SIGNER))
            assert predicates.describe(told) or predicates.find(told.predicate_type) is None
        except MalformedError:
            found[name] = ("malformed", None)
    return found


def test_every_payload_is_read_as_what_it_is(vectors: Path) -> None:
    assert Counter(kind for kind, _ in _read(vectors.parent).values()) == KINDS


def _key(named: dict[str, Any]) -> str | None:
    """The node of a material, by the rules of identity; None where it names nothing that we compare here."""
    digests = named.get("digest") or {}
    if "sha256" in digests:
        return f"sha256:{digests['sha256']}"
    return uri_key(named["uri"]) if named.get("uri") else None


def _told(kind: str, raw: dict[str, Any]) -> tuple[str, str, list[dict[str, Any]]]:
    """Builder, invocation and materials of a provenance, read by hand."""
    if kind.endswith("v1"):
        definition, details = raw["buildDefinition"], raw["runDetails"]
        invocation = (details.get("metadata") or {}).get("invocationId", "")
        return details["builder"]["id"], invocation, definition.get("resolvedDependencies") or []
    metadata = raw.get("metadata") or {}
    invocation = metadata.get("buildInvocationId") or metadata.get("buildInvocationID") or ""
    config = (raw.get("invocation") or {}).get("configSource") or {}
    return raw["builder"]["id"], invocation, [*(raw.get("materials") or []), *([config] if config else [])]


def test_provenance_is_one_run_with_its_materials_and_subjects(vectors: Path) -> None:
    payloads = {name: data for name, _, data in _payloads(vectors.parent)}
    compared = 0
    for name, (kind, delta) in _read(vectors.parent).items():
        if delta is None or kind not in (
            "https://slsa.dev/provenance/v1",
            "https://slsa.dev/provenance/v0.2",
        ):
            continue
        whole = json.loads(payloads[name])
        raw = whole["predicate"]
        if "build_definition" in raw:  # protobuf's names, which another test reads
            continue
        builder, invocation, materials = _told(kind, raw)
        digest = hashlib.sha256(payloads[name]).hexdigest()
        run = run_key(builder, invocation, digest)
        assert [key for key, each in delta.nodes.items() if each is NodeKind.RUN] == [run], name
        assert delta.builders == {builder}
        used = {edge.target for edge in delta.edges if edge.type is EdgeType.USED and edge.source == run}
        assert used == {key for key in map(_key, materials) if key}, name
        made = {edge.source for edge in delta.edges if edge.type is EdgeType.WAS_GENERATED_BY}
        assert made == {f"sha256:{each['digest']['sha256']}" for each in whole["subject"]}, name
        compared += 1
    assert compared >= 10


NO_LINEAGE = {
    "https://slsa.dev/verification_summary/v1",
    "https://witness.testifysec.com/policy/v0.1",
    "https://slsa.dev/provenance/v0.1",
    "https://slsa.dev/provenance/v1.0?draft",
}


def test_a_summary_a_policy_and_what_is_not_known_make_no_lineage(vectors: Path) -> None:
    lineage = {EdgeType.USED, EdgeType.WAS_GENERATED_BY, EdgeType.WAS_DERIVED_FROM}
    found = [(name, delta) for name, (kind, delta) in _read(vectors.parent).items() if kind in NO_LINEAGE]
    assert len(found) == sum(KINDS[kind] for kind in NO_LINEAGE)
    for name, delta in found:
        assert delta is not None
        assert not [edge for edge in delta.edges if edge.type in lineage], name
