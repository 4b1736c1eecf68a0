"""OCI manifests and indexes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.artifacts.formats import UnopenedError, differences, recognise
from lineage.artifacts.formats.oci_manifest import OCI
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import MalformedError
from tests.unit.artifacts.formats.model_files import described

LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar",
    "digest": "sha256:" + "a" * 64,
    "size": 10,
    "annotations": {"org.opencontainers.image.title": "model.gguf"},
}
CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + "c" * 64, "size": 2}
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "artifactType": "application/x-model",
    "config": CONFIG,
    "layers": [LAYER, {**LAYER, "digest": "sha256:" + "b" * 64, "annotations": {}}],
    "annotations": {"org.opencontainers.image.created": "2026-01-01"},
}
INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "manifests": [{**CONFIG, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}],
}


def written(document: object) -> bytes:
    return json.dumps(document).encode()


def test_a_manifest_is_described() -> None:
    found = described(written(MANIFEST), "manifest.json")
    assert [(part.kind, part.name, part.digest[0]) for part in found.parts][:3] == [
        ("config", "", "c"),
        ("layer", "1 (model.gguf)", "a"),
        ("layer", "2", "b"),
    ]
    assert found.facts["size"] == "22 bytes in all"
    assert found.facts["artifact type"] == "application/x-model"


def test_an_index_names_platforms() -> None:
    assert described(written(INDEX), "x").parts[0].name == "1 (linux/arm64/v8)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": [{**LAYER, "digest": "sha256:" + "d" * 64}]}, "the layer 1 (model.gguf) differs"),
        ({"config": {**CONFIG, "size": 3}}, "the config: size was 2, is 3"),
        ({"annotations": {}}, "the metadata key org.opencontainers.image.created is missing"),
    ],
    ids=["layer", "config", "annotation"],
)
def test_what_differs_is_named(change: dict[str, Any], words: str) -> None:
    found = described(written({**MANIFEST, **change}), "m")
    assert differences(described(written(MANIFEST), "m"), found)[0].startswith(words)


def test_another_algorithm_is_told() -> None:
    other = {**LAYER, "digest": "sha512:" + "e" * 128}
    (part,) = [p for p in described(written({**MANIFEST, "layers": [other]}), "m").parts if p.kind == "layer"]
    assert part.detail.endswith("digest sha512:" + "e" * 128)


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 3, "layers": []},
        {"schemaVersion": 2},
        {"schemaVersion": 2, "layers": {}},
        {"schemaVersion": 2, "layers": [1]},
        {"schemaVersion": 2, "layers": [{**LAYER, "size": -1}]},
        {"schemaVersion": 2, "layers": [{**LAYER, "size": True}]},
        {"schemaVersion": 2, "layers": [{**LAYER, "digest": "sha256:x"}]},
        {"schemaVersion": 2, "layers": [{**LAYER, "digest": "../../etc"}]},
        {"schemaVersion": 2, "layers": [{**LAYER, "mediaType": 1}]},
        {"schemaVersion": 2, "layers": [], "annotations": {"a": 1}},
        [],
    ],
    ids=lambda document: json.dumps(document)[-40:],
)
def test_what_is_malformed(document: object) -> None:
    with pytest.raises(MalformedError):
        OCI.describe(MemoryBytes(written(document)), "m", None)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff{", b'{"a":1,"a":1}', b"[" * 100_000])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(MalformedError):
        OCI.describe(MemoryBytes(content), "m", None)


def test_schema_1_is_not_read() -> None:
    with pytest.raises(UnopenedError):
        OCI.describe(MemoryBytes(written({"schemaVersion": 1})), "m", None)


def test_other_json_is_not_taken_for_one() -> None:
    assert recognise(b'{"a": 1}', "m.json") is None
    assert recognise(written(INDEX), "m.json") is OCI
