"""Models that others signed, against the manifests in their signatures; and golden statements, made again.

Whether a signature holds is not looked at here: one of the vectors is refuted for its signature alone.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lineage.artifacts import signed_manifest
from lineage.artifacts.signed_folder import build, compare
from lineage.artifacts.signed_manifest import Serialization

FAMILY = "model-signing"
IGNORED = ("model.sig", "ignore-me")
"""The signature itself, and what the signers of these models left out."""


def _is_golden(case: dict[str, Any]) -> bool:
    file: str = case.get("file", "")
    return file.startswith("payloads/")


APPLIES = {
    "test_unchanged": lambda case: not _is_golden(case) and "mutate" not in case,
    "test_mutated": lambda case: "mutate" in case,
    "test_golden_read": _is_golden,
    "test_golden_made": _is_golden,
}


def test_unchanged(vectors: Path, case: dict[str, Any]) -> None:
    manifest = signed_manifest.read((vectors / case["file"]).read_bytes())
    assert compare(manifest, bytes(vectors / case["model"]), IGNORED) == ()
    resources = case["facts"].get("resources")
    if resources:
        assert [(one.name, one.digest) for one in manifest.resources] == [
            (r["name"], r["digest"]) for r in resources
        ]
        assert manifest.root == case["facts"]["subject"][0]["digest"]["sha256"]


def test_mutated(vectors: Path, case: dict[str, Any], tmp_path: Path) -> None:
    """One byte of one file is changed: that file is named, and no other."""
    folder = tmp_path / "model"
    shutil.copytree((vectors / case["file"]).parent, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    file = folder / case["mutate"]
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    model = folder if case["model"].endswith("/") else folder / Path(case["model"]).name
    manifest = signed_manifest.read((vectors / case["file"]).read_bytes())
    (said,) = compare(manifest, bytes(model), IGNORED)
    # A single file's resource is called "." whatever the file is called.
    assert said.startswith(f"{case['mutate'] if model.is_dir() else '.'} differs: expected ")


def test_golden_read(vectors: Path, case: dict[str, Any]) -> None:
    manifest = signed_manifest.read((vectors / case["file"]).read_bytes())
    assert manifest.root == case["facts"]["subject_digest"]
    assert len(manifest.resources) == case["facts"]["resources"]
    assert manifest.serialization.method == case["facts"]["serialization"]["method"]
    assert json.loads((vectors / case["file"]).read_bytes()) == signed_manifest.to_payload(manifest)


KNOWN = b"This is a simple model"
SAMPLE = {f"d{i}/f{i}{j}": f"This is file f{i}{j} in d{i}.".encode() for i in range(2) for j in range(3)} | {
    f"f{i}": f"This is file f{i} in root.".encode() for i in range(4)
}
DEEP = {f"d0/d1/d2/d3/d4/f{i}": f"This is file f{i}.".encode() for i in range(4)}
MODELS: dict[str, tuple[str, dict[str, bytes]]] = {
    "sample_model_folder": ("sample_model", SAMPLE),
    "deep_model_folder": ("deep_model", DEEP),
    "empty_model_folder": ("empty_folder_model", {}),
    "model_folder_with_empty_file": ("empty_file_inside_model", {"empty_file": b""}),
    "symlink_model_folder": ("symlink_model", {"symlink_file": KNOWN}),
    "empty_model_file": ("empty_file_model", {"": b""}),
    "sample_model_file": ("file_model", {"": KNOWN}),
}
"""The models of upstream's tests (tests/test_support.py); the file `""` is the model itself."""


def test_golden_made(vectors: Path, case: dict[str, Any], tmp_path: Path) -> None:
    """The same statement comes out of the same model. Golden ones don't name what git keeps; ours do."""
    golden = json.loads((vectors / case["file"]).read_bytes())
    name, files = MODELS[Path(case["file"]).stem.removesuffix("_shard").removesuffix("_small_shards")]
    model = tmp_path / name
    if "" not in files:
        model.mkdir()
    for path, content in files.items():
        (model / path).parent.mkdir(parents=True, exist_ok=True)
        (model / path).write_bytes(content)
    facts = case["facts"]["serialization"]
    how = Serialization(facts["method"], "sha256", int(facts.get("shard_size", 1)), allow_symlinks=True)
    made = signed_manifest.to_payload(build(bytes(model), how))
    made["predicate"]["serialization"].pop("ignore_paths", None)
    assert made == golden


@pytest.mark.parametrize("method", ["files", "shards"])
def test_the_vectors_are_told_apart(vectors: Path, method: str) -> None:
    """A manifest of one model doesn't fit another."""
    suffix = "_shard" if method == "shards" else ""
    manifest = signed_manifest.read((vectors / f"payloads/sample_model_folder{suffix}.json").read_bytes())
    said = compare(manifest, bytes(vectors / "v1.0.1-certificate"), IGNORED)
    assert {line.rpartition(": ")[2] for line in said} == {"missing", "not in the manifest"}
