"""Descriptors to nodes: identity, aliases, fingerprints, locations, roles, folders, difficult texts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import GraphDelta, unnamed_uri, uri_key
from lineage.predicates.folders import dir_hash
from tests.unit.predicates.making import (
    KEY,
    SIGNER,
    A,
    B,
    C,
    edges,
    kinds,
    made,
    ours,
    projected,
    said_of,
    sha,
)

LINK = "https://in-toto.io/attestation/link/v0.3"
SHA512 = sha("512") * 2


def about(*subjects: dict[str, Any]) -> GraphDelta:
    return projected(made("https://example.org/unknown/v1", {}, *subjects))


def using(descriptor: object) -> GraphDelta:
    return projected(
        ours("training-run", {"builder": {"id": "b"}, "activity": "training", "inputs": [descriptor]})
    )


def test_one_signed_digest_set_binds_its_digests() -> None:
    delta = about({"name": "a", "digest": {"sha512": SHA512, "sha256": A.upper(), "md5": "ef" * 16}})
    assert kinds(delta) == {KEY: "signer", f"sha256:{A}": "artifact", f"sha512:{SHA512}": "artifact"}
    assert edges(delta) == [
        (f"sha256:{A}", "SAME_AS", f"sha512:{SHA512}"),
        (f"sha256:{A}", "WAS_ATTRIBUTED_TO", KEY),
    ]
    attested = ("attested", "https://example.org/unknown/v1")
    assert said_of(delta, f"sha256:{A}") == {attested, ("name", "a"), ("fingerprint", f"md5:{'ef' * 16}")}
    assert said_of(delta, f"sha512:{SHA512}") == {attested, ("name", "a")}


@pytest.mark.parametrize(
    ("descriptor", "key", "said"),
    [
        (
            {"name": "weights", "digest": {"sha1": "ab" * 20}},
            uri_key(unnamed_uri(SIGNER, "weights")),
            {("name", "weights"), ("fingerprint", f"sha1:{'ab' * 20}")},
        ),
        (
            {"digest": {"gitCommit": "ab" * 20}},
            uri_key(unnamed_uri(SIGNER, f"gitCommit:{'ab' * 20}")),
            {("name", f"gitCommit:{'ab' * 20}"), ("fingerprint", f"gitCommit:{'ab' * 20}")},
        ),
        (
            {"name": "gpt", "uri": "https://api.example/gpt"},
            uri_key("https://api.example/gpt"),
            {("name", "gpt"), ("name", "https://api.example/gpt"), ("location", "https://api.example/gpt")},
        ),
        (
            {"downloadLocation": "s3://b/k"},
            uri_key("s3://b/k"),
            {("name", "s3://b/k"), ("location", "s3://b/k")},
        ),
        (
            {"uri": "pkg:pypi/x@1", "digest": {"sha256": B}},
            f"sha256:{B}",
            {("detail", "URI: pkg:pypi/x@1")},
        ),
        (
            {"uri": "FILE:///x", "downloadLocation": "other:x", "digest": {"sha256": B}},
            f"sha256:{B}",
            {("location", "file:///x"), ("location", "other:x")},
        ),
        (
            {"name": "inline", "content": base64.b64encode(b"B").decode()},
            f"sha256:{B}",
            {("name", "inline")},
        ),
        (
            {"name": "x", "digest": {"sha256": B, "gguf": "not hex"}, "annotations": {"role": "code"}},
            f"sha256:{B}",
            {("name", "x"), ("role", "code"), ("fingerprint", "gguf:not hex")},
        ),
    ],
)  # fmt: skip
def test_what_a_descriptor_is(descriptor: dict[str, Any], key: str, said: set[tuple[str, str]]) -> None:
    delta = using(descriptor)
    assert said_of(delta, key) == said
    assert [edge[2] for edge in edges(delta) if edge[1] == "USED"] == [key]


@pytest.mark.parametrize(
    ("descriptor", "where"),
    [
        ({}, ""),
        ({"digest": {}}, ""),
        ({"name": "x", "role": "modle"}, ".role"),
        ({"name": "x", "annotations": {"role": "run"}}, ".annotations.role"),
        ({"name": "x", "annotations": {"role": 7}}, ".annotations.role"),
        ({"digest": {"sha256": "ab"}}, ".digest.sha256"),
        ({"name": "x", "content": "%%%"}, ".content"),
        ({"name": "x", "downloadLocation": "s3://" + "x" * 2000}, ""),
    ],
)
def test_a_descriptor_that_is_none(descriptor: object, where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        using(descriptor)
    assert caught.value.where == f"$.predicate.inputs[0]{where}"


def test_other_peoples_roles_are_words_of_theirs() -> None:
    for role in ("primary", "run", 7):
        material = {"name": "m", "digest": {"sha256": B}, "role": [], "annotations": {"role": role}}
        assert said_of(projected(made(LINK, {"materials": [material]})), f"sha256:{B}") == {("name", "m")}


def test_a_subject_says_its_role_itself() -> None:
    delta = about({"name": "a", "digest": {"sha256": A}, "annotations": {"role": "tokenizer"}})
    assert ("role", "tokenizer") in said_of(delta, f"sha256:{A}")


def test_no_text_holds_nul_and_the_key_is_of_the_text_as_signed() -> None:
    delta = using({"name": "a\0b", "uri": "urn:x\0"})
    assert said_of(delta, uri_key("urn:x\0")) == {("name", "a\u2400b"), ("name", "urn:x\u2400")}


def test_long_names_are_cut_to_what_a_database_indexes() -> None:
    delta = using({"name": "ß" * 5000, "digest": {"sha256": B}})
    ((_, name),) = said_of(delta, f"sha256:{B}")
    assert name == "ß" * 998 + "…"
    assert len(name.encode()) <= 2000


FILES = {"b/é.bin": B, "a.txt": A, "b.txt": C}
HASH = dir_hash(FILES)


def test_dir_hash_is_as_sha256sum_would_make_it() -> None:
    lines = f"{A}  a.txt\n{C}  b.txt\n{B}  b/é.bin\n"
    assert sha(lines) == HASH
    assert dir_hash({}) == sha("")


@pytest.mark.parametrize(
    "files",
    [
        FILES,
        [{"name": path, "digest": {"sha256": digest}} for path, digest in FILES.items()],
        [{"path": path, "digest": {"sha256": digest.upper()}, "size": 1} for path, digest in FILES.items()],
    ],
)
def test_files_are_part_of_their_folder(files: object) -> None:
    delta = about({"name": "folder", "digest": {"dirHash": HASH}, "annotations": {"files": files}})
    folder = f"dirHash:{HASH}"
    assert edges(delta) == sorted(
        [(f"sha256:{digest}", "PART_OF", folder) for digest in FILES.values()]
        + [(folder, "WAS_ATTRIBUTED_TO", KEY)]
    )
    assert said_of(delta, f"sha256:{B}") == {
        ("attested", "https://example.org/unknown/v1"),
        ("name", "b/é.bin"),
        ("role", "file"),
    }


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({**FILES, "more": A}, "make dirHash"),
        ({}, "make dirHash"),
        ("a.txt", "as a map"),
        ({"a.txt": 7}, "is a string"),
        ({"a.txt": "ab"}, "64 hex digits"),
        ({"": A}, "not empty"),
        ({"a\nb": A}, "line break"),
        ([{"name": "a", "digest": {"sha256": A}}] * 2, "listed once"),
        (["a"], "is an object"),
        ([{"digest": {"sha256": A}}], "needs a name"),
        ([{"name": "a"}], "and a digest"),
        ([{"name": "a", "digest": {"sha512": SHA512}}], "is a string"),
    ],
)
def test_files_that_are_not_the_folders(files: object, match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        about({"name": "folder", "digest": {"dirHash": HASH}, "annotations": {"files": files}})


def test_20_001_files_are_too_many() -> None:
    files = {str(number): A for number in range(20_001)}
    with pytest.raises(TooLargeError) as caught:
        about({"digest": {"dirHash": HASH}, "annotations": {"files": files}})
    assert caught.value.limit == 20_000
    del files["0"]
    assert (
        len(about({"digest": {"dirHash": dir_hash(files)}, "annotations": {"files": files}}).edges) == 20_001
    )


def test_files_of_something_that_is_no_folder_are_not_read() -> None:
    assert len(about({"digest": {"sha256": A}, "annotations": {"files": 7}}).edges) == 1


def test_claimed_kinds_are_roles_or_artifact_and_skip_signers_and_aliases() -> None:
    told = ours(
        "training-run",
        {
            "builder": {"id": "b"},
            "activity": "training",
            "inputs": [{"name": "d", "digest": {"sha256": B}, "role": "dataset"}, {"digest": {"sha256": C}}],
            "hardware": [{"digest": {"sha256": A}}],
        },
        {"name": "m", "digest": {"sha256": A, "sha512": SHA512}, "annotations": {"role": "model"}},
    )
    claimed = predicates.claimed(told, projected(told))
    assert claimed.kinds == {"model", "dataset", "artifact", "run", "hardware"}
    assert claimed.builders == {"b"}
    assert claimed.subject_names == ("m",)
    assert claimed.predicate_type == "urn:lineage:predicate:training-run:v1"
    model = ours("model", {"name": "m"}, {"name": "m", "digest": {"sha256": A, "sha512": SHA512}})
    assert predicates.claimed(model, projected(model)).kinds == {"model"}
