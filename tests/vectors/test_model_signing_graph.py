"""Model signatures of others as predicates: the model's node is what our own hashing of its bytes finds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.artifacts import hashing
from lineage.graph.model import ClaimKind
from lineage.predicates.folders import dir_hash
from lineage.trust import statement
from tests.unit.predicates.making import SIGNER

FAMILY = "model-signing"
APPLIES = {"test_the_model_is_its_bytes": lambda case: "mutate" not in case}


def test_the_model_is_its_bytes(vectors: Path, case: dict[str, Any]) -> None:
    document = json.loads((vectors / case["file"]).read_text())
    envelope = document.get("dsseEnvelope")
    payload = base64.b64decode(envelope["payload"]) if envelope else json.dumps(document).encode()
    told = statement.parse("application/vnd.in-toto+json", payload)
    delta = predicates.project(told, SIGNER)
    assert predicates.describe(told)
    models = {claim.node for claim in delta.claims if (claim.kind, claim.value) == (ClaimKind.ROLE, "model")}
    (model,) = models
    fingerprints = [claim.value for claim in delta.claims if claim.kind is ClaimKind.FINGERPRINT]
    if "Digests" not in told.predicate_type:
        assert f"modelSigning:{told.subjects[0].digests['sha256']}" in fingerprints
    if "model" not in case:
        resources = document["predicate"]["resources"]
        whole = document["predicate"]["serialization"]["method"] == "files" and resources
        assert model.startswith(("dirHash:", "sha256:") if whole else "uri:")
        return
    path = vectors / case["model"]
    if path.is_file():
        assert model == f"sha256:{hashing.hash_file(path)}"
    else:
        files = {
            file.name: hashing.hash_file(file) for file in path.iterdir() if file.name.startswith("signme")
        }
        assert model == f"dirHash:{dir_hash(files)}"
