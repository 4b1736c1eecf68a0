"""Manifests of model signing: what is refused, symlinks, shards, and model_signing's own answers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lineage.artifacts import signed_manifest
from lineage.artifacts.signed_folder import build, compare
from lineage.artifacts.signed_manifest import Serialization, read, to_payload
from lineage.errors import InconclusiveError, MalformedError

SHARDS = Serialization("shards", "sha256", 8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    (folder / "a-b").write_bytes(b"x" * 20)
    (folder / "a/b").write_bytes(b"y" * 20)
    (folder / ".gitignore").write_bytes(b"z")
    return folder


def payload(model: Path, how: Serialization = Serialization()) -> dict[str, Any]:  # noqa: B008
    return to_payload(build(bytes(model), how))


def test_the_order_is_that_of_the_paths_parts(model: Path) -> None:
    names = [one["name"] for one in payload(model)["predicate"]["resources"]]
    assert names == ["a/b", "a-b"]  # as texts they would stand the other way round
    names = [one["name"] for one in payload(model, SHARDS)["predicate"]["resources"]]
    assert names == [f"{file}:{place}" for file in ("a/b", "a-b") for place in ("0:8", "8:16", "16:20")]


@pytest.mark.parametrize("kind", ["sha256", "blake2b", "blake3"])
def test_each_hash_is_read_again(model: Path, kind: str) -> None:
    written = json.dumps(payload(model, Serialization(hash_type=kind))).encode()
    assert compare(read(written), bytes(model)) == ()
    (model / "a/b").write_bytes(b"y" * 19 + b"!")
    (said,) = compare(read(written), bytes(model))
    assert said.startswith("a/b differs: expected ")


def test_the_shard_that_differs_is_named(model: Path) -> None:
    manifest = read(json.dumps(payload(model, SHARDS)).encode())
    (model / "a/b").write_bytes(b"y" * 9 + b"!" + b"y" * 10)
    (model / "a-b").write_bytes(b"x" * 16)
    (model / "new").write_bytes(b"n")
    said = compare(manifest, bytes(model))
    assert said[0].startswith("a/b, bytes 8 to 16, differs: expected ")
    assert said[1:] == ("a-b, bytes 16 to 20: missing", "new, bytes 0 to 1: not in the manifest")


def test_what_is_ignored_is_left_out(model: Path) -> None:
    manifest = read(json.dumps(payload(model, Serialization(ignore=("a",)))).encode())
    assert [one.name for one in manifest.resources] == ["a-b"]
    (model / "a/more").write_bytes(b"1")
    (model / "other").write_bytes(b"1")
    assert compare(manifest, bytes(model), ("other",)) == ()
    assert compare(manifest, bytes(model)) == ("other: not in the manifest",)


def test_a_symlink_is_only_followed_where_the_manifest_says_so(model: Path) -> None:
    (model / "link").symlink_to("a-b")
    with pytest.raises(InconclusiveError, match="link is a symlink"):
        build(bytes(model), Serialization())
    followed = build(bytes(model), Serialization(allow_symlinks=True))
    assert [one.name for one in followed.resources] == ["a/b", "a-b", "link"]


def test_names_that_the_form_can_not_express(model: Path) -> None:
    (model / "c:d").write_bytes(b"1")
    with pytest.raises(InconclusiveError, match="colon"):
        build(bytes(model), SHARDS)
    (model / "c:d").rename(model / os.fsdecode(b"\xff"))
    with pytest.raises(InconclusiveError, match="UTF-8"):
        build(bytes(model), Serialization())


def test_a_single_file_fits_whatever_it_is_called(model: Path) -> None:
    manifest = read(json.dumps(payload(model / "a-b")).encode())
    assert manifest.resources[0].name == "."
    assert compare(manifest, bytes(model / "a-b")) == ()
    (said,) = compare(manifest, bytes(model / "a/b"))
    assert said.startswith(". differs")


def test_it_is_read_out_of_a_bundle_and_an_envelope(model: Path) -> None:
    statement = payload(model)
    envelope = {
        "payloadType": signed_manifest.PAYLOAD_TYPE,
        "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
        "signatures": [],
    }
    for document in (statement, envelope, {"dsseEnvelope": envelope}):
        assert signed_manifest.looks_like_one(document)
        assert to_payload(read(json.dumps(document).encode())) == statement


def _changed(path: str, value: object) -> dict[str, Any]:
    digest = hashlib.sha256(b"x").hexdigest()
    document: dict[str, Any] = {
        "_type": signed_manifest.STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": hashlib.sha256(bytes.fromhex(digest)).hexdigest()}}],
        "predicateType": signed_manifest.PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "shards",
                "hash_type": "sha256",
                "shard_size": 8,
                "allow_symlinks": False,
            },
            "resources": [{"name": "f:0:8", "algorithm": "sha256-sharded-8", "digest": digest}],
        },
    }
    place: Any = document
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    return document


def test_the_example_itself_is_read() -> None:
    assert read(json.dumps(_changed("subject.0.name", "n")).encode()).name == "n"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("_type", "x"),
        ("predicateType", "x"),
        ("subject", []),
        ("subject.0.digest", {"sha256": "0" * 64}),
        ("subject.0.name", 1),
        ("predicate", None),
        ("predicate.resources", {}),
        ("predicate.resources.0.name", "../f:0:8"),
        ("predicate.resources.0.name", "/f:0:8"),
        ("predicate.resources.0.name", "f"),
        ("predicate.resources.0.name", "f:8:0"),
        ("predicate.resources.0.name", "f:1:9"),
        ("predicate.resources.0.name", "f:0:9"),
        ("predicate.resources.0.digest", "zz"),
        ("predicate.resources.0.algorithm", "md5"),
        ("predicate.serialization.shard_size", 0),
        ("predicate.serialization.shard_size", 1.5),
        ("predicate.serialization.shard_size", True),
        ("predicate.serialization.ignore_paths", [1]),
    ],
    ids=str,
)
def test_what_is_malformed(path: str, value: object) -> None:
    with pytest.raises(MalformedError):
        read(json.dumps(_changed(path, value)).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [("predicate.serialization.method", "tensors"), ("predicate.serialization.hash_type", "md5")],
)
def test_what_is_not_known_here(path: str, value: object) -> None:
    with pytest.raises(InconclusiveError):
        read(json.dumps(_changed(path, value)).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"payloadType":"x","payload":""}', b"[" * 99_999]
)
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(MalformedError):
        read(content)
