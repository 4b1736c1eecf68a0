"""Model files and a manifest that other projects made: each read, or refused, as expected."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from lineage.artifacts.formats import gguf_manifest
from lineage.artifacts.formats.gguf_file import GGUF
from lineage.artifacts.formats.safetensors_file import SAFETENSORS
from lineage.artifacts.reading import LocalBytes
from lineage.errors import MalformedError

FAMILY = "model-files"


def _is_manifest(case: dict[str, Any]) -> bool:
    name: str = case.get("file", "")
    return name.endswith(".manifest")


APPLIES = {
    "test_read": lambda case: case["expect"] == "verified" and not _is_manifest(case),
    # One of them is read by the reference implementation, against the README; see the module's docstring.
    "test_refused": lambda case: case["expect"] == "malformed",
    "test_manifest": _is_manifest,
}


def test_read(vectors: Path, case: dict[str, Any]) -> None:
    path, facts = vectors / case["file"], case["facts"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts["file_sha256"]
    found = SAFETENSORS.describe(LocalBytes(bytes(path)), path.name, None)
    tensors = [(part.name, part.digest, part.detail) for part in found.parts if part.kind == "tensor"]
    assert sorted(tensors) == sorted(
        (t["name"], t["sha256"], f"dtype {t['dtype']}, shape {_shape(t['shape'])}") for t in facts["tensors"]
    )


def _shape(shape: list[int]) -> str:
    return "\u00d7".join(map(str, shape)) or "scalar"


def test_refused(vectors: Path, case: dict[str, Any]) -> None:
    path = vectors / case["file"]
    with pytest.raises(MalformedError):
        SAFETENSORS.describe(LocalBytes(bytes(path)), path.name, None)


def test_manifest(vectors: Path, case: dict[str, Any], tmp_path: Path) -> None:
    """A GGUF file made with the contents that upstream's manifest is about."""
    facts, model = case["facts"], tmp_path / "test.gguf"
    writer = gguf.GGUFWriter(model, "llama")
    for number, count in facts["tensor_f32_elements"].items():
        writer.add_tensor(f"tensor_{number}", np.full(count, 100.0 + int(number), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    manifest = (vectors / case["file"]).read_bytes()
    assert gguf_manifest.check(LocalBytes(bytes(model)), gguf_manifest.read(manifest)) == ()
    printed = [line for line in manifest.splitlines(keepends=True) if line.startswith(b"sha256")]
    assert gguf_manifest.write(LocalBytes(bytes(model)), "test.gguf") == b"".join(printed)
    found = GGUF.describe(LocalBytes(bytes(model)), "test.gguf", None)
    assert found.digests["gguf-hash:uuid"] == facts["uuid5_computed_here_not_given_upstream"]
