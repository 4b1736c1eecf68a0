"""OpenSSF model signatures: a model is its bytes, and the subject's digest only helps to find it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError
from lineage.graph.model import unnamed_uri, uri_key
from lineage.predicates import model_signing
from lineage.predicates.folders import dir_hash
from lineage.trust.statement import Statement
from tests.unit.predicates.making import KEY, SIGNER, A, B, edges, kinds, made, projected, said_of

NAME = "model"


def resource(name: str, digest: str, algorithm: str = "sha256") -> dict[str, str]:
    return {"name": name, "digest": digest, "algorithm": algorithm}


def root(*resources: dict[str, str]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources)).hexdigest()


def signed(*resources: dict[str, str], digest: str = "", **how: Any) -> Statement:
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **how}
    predicate = {"serialization": serialization, "resources": list(resources)}
    subject = {"name": NAME, "digest": {"sha256": digest or root(*resources)}}
    return made(model_signing.CURRENT, predicate, subject)


def test_a_folder_is_its_dir_hash() -> None:
    files = (resource("a", A), resource("sub/b", B))
    told = signed(*files, ignore_paths=[".git"])
    delta = projected(told)
    folder = f"dirHash:{dir_hash({'a': A, 'sub/b': B})}"
    assert kinds(delta) == {
        KEY: "signer", folder: "artifact", f"sha256:{A}": "artifact", f"sha256:{B}": "artifact",
    }  # fmt: skip
    assert edges(delta) == sorted(
        [
            (folder, "WAS_ATTRIBUTED_TO", KEY),
            (f"sha256:{A}", "PART_OF", folder),
            (f"sha256:{B}", "PART_OF", folder),
        ]
    )
    assert said_of(delta, folder) == {
        ("attested", model_signing.CURRENT), ("name", NAME), ("role", "model"),
        ("fingerprint", f"modelSigning:{root(*files)}"), ("detail", "Left out of the signature: .git"),
    }  # fmt: skip
    assert ("Signed files", "2") in predicates.describe(told)


def test_renamed_files_are_another_model_with_the_same_fingerprint() -> None:
    one, other = (projected(signed(resource(name, A), resource("z", B))) for name in ("a", "b"))
    assert {key for key in one.nodes if key.startswith("dirHash")} != {
        key for key in other.nodes if key.startswith("dirHash")
    }
    assert {c.value for c in one.claims if c.kind == "fingerprint"} == {
        c.value for c in other.claims if c.kind == "fingerprint"
    }


@pytest.mark.parametrize("algorithm", ["sha256", "blake3"])
def test_a_single_file_is_its_digest(algorithm: str) -> None:
    delta = projected(signed(resource(".", A, algorithm), hash_type=algorithm))
    assert edges(delta) == [(f"{algorithm}:{A}", "WAS_ATTRIBUTED_TO", KEY)]


@pytest.mark.parametrize(
    ("resources", "how"),
    [
        ((resource("a:0:5", A, "sha256-sharded-8"),), {"method": "shards", "shard_size": 8.0}),
        ((resource("a", "ab" * 64, "blake2b"),), {"hash_type": "blake2b"}),
        ((resource(".", "ab" * 64, "blake2"),), {"hash_type": "blake2b"}),
        ((resource("a", A, "blake3"),), {"hash_type": "blake3"}),
        ((), {}),
    ],
    ids=["shards", "blake2", "blake2-file", "blake3-folder", "empty"],
)
def test_what_identifies_nothing_is_a_gap(resources: tuple[dict[str, str], ...], how: dict[str, Any]) -> None:
    delta = projected(signed(*resources, **how))
    key = uri_key(unnamed_uri(SIGNER, f"{NAME}@{root(*resources)}"))
    assert set(delta.nodes) == {KEY, key}
    assert ("fingerprint", f"modelSigning:{root(*resources)}") in said_of(delta, key)


def test_version_0_2() -> None:
    subjects = [{"name": name, "digest": {"sha256": digest}} for name, digest in (("a", A), ("b", B))]
    delta = projected(made(model_signing.OLD, {"unused": "x"}, *subjects))
    folder = f"dirHash:{dir_hash({'a': A, 'b': B})}"
    assert (folder, "WAS_ATTRIBUTED_TO", KEY) in edges(delta)
    assert (f"sha256:{A}", "PART_OF", folder) in edges(delta)
    single = projected(made(model_signing.OLD, {}, subjects[0]))
    assert edges(single) == [(f"sha256:{A}", "WAS_ATTRIBUTED_TO", KEY)]
    sharded = {**subjects[0], "annotations": {"actual_hash_algorithm": "file-sha256-1000"}}
    with pytest.raises(MalformedError, match="not known here"):
        projected(made(model_signing.OLD, {}, sharded))


@pytest.mark.parametrize(
    "told",
    [
        signed(resource("a", A), digest=B),
        signed(resource("a", A), resource("a", B)),
        signed(resource("../a", A)),
        signed(resource("/a", A)),
        signed(resource("a//b", A)),
        signed(resource("a\nb", A)),
        signed(resource(".", A), resource("a", B)),
        signed(resource("a", A.upper())),
        signed(resource("a", A, "blake3")),
        signed(resource("a", A), hash_type="md5"),
        signed(resource("a", A), method="guess"),
        signed(resource("a:3:9", A, "sha256-sharded-8"), method="shards"),
        signed(resource("a", A, "sha256-sharded-8"), method="shards"),
    ],
    ids=[
        "root", "twice", "dots", "absolute", "empty-part", "newline", "file-and-folder", "upper", "algorithm",
        "md5", "method", "place", "shard-name",
    ],
)  # fmt: skip
def test_what_is_no_manifest(told: Statement) -> None:
    with pytest.raises(MalformedError):
        projected(told)


def test_many_files_are_counted_and_no_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_signing, "MAX_FILES", 1)
    delta = projected(signed(resource("a", A), resource("b", B)))
    folder = f"dirHash:{dir_hash({'a': A, 'b': B})}"
    assert set(delta.nodes) == {KEY, folder}
    assert ("detail", "Files: 2") in said_of(delta, folder)
