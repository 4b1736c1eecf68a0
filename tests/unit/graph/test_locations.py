"""Which locations are copies, beside what the storages themselves would open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.artifacts.storage import places
from lineage.errors import InconclusiveError
from lineage.graph.locations import Root, beginning, root_of

COMMIT = "0" * 40
ROOTS = (
    Root("bucket", "s3://bucket/prefix"),
    Root("web", "https://example.com/dir"),
    Root("registry", "oci://registry.example:5000/team/model"),
    Root("hub", "hf://owner/name"),
    Root("tracking", "mlflow://tracking"),
)


@pytest.mark.parametrize(
    ("location", "storage"),
    [
        ("s3://bucket/prefix/a", "bucket"),
        ("s3://bucket/pre%66ix/a", "bucket"),
        ("s3://bucket/prefix/a/", "bucket"),
        ("s3://bucket/prefix", "bucket"),
        ("s3://Bucket/prefix/a", None),  # another bucket's name
        ("s3://bucket/prefixed/a", None),
        ("s3://bucket/prefix//a", None),  # another key
        ("s3://bucket//prefix/a", None),
        ("s3://bucket/prefix/./a", None),
        ("s3://bucket/prefix%2Fa", None),
        ("s3://bucket/prefix/a%2F..%2F..%2Fb", None),
        ("s3://bucket/prefix/%2e%2e/b", None),
        ("s3://bucket/prefix/a%00", None),
        ("s3://bucket/prefix/a?versionId=1", None),
        ("s3://user@bucket/prefix/a", None),
        ("https://EXAMPLE.com/dir/a", "web"),
        ("https://example.com/Dir/a", None),
        ("https://example.com./dir/a", None),
        ("https://example.com:443/dir/a", None),
        ("https://example.com@evil.example/dir/a", None),
        ("http://example.com/dir/a", None),
        (f"oci://registry.example:5000/team/model@sha256:{'a' * 64}", "registry"),
        ("oci://registry.example:5000/team/model:latest", "registry"),
        ("oci://registry.example:5000/team/models:latest", None),
        ("oci://registry.example/team/model:latest", None),
        (f"hf://owner/name@{COMMIT}/a", "hub"),
        (f"hf://Owner/name@{COMMIT}/a", None),
        (f"hf://owner/name2@{COMMIT}/a", None),
        (f"hf://owner/name:{COMMIT}/a", None),
        ("mlflow://tracking/models/m-1", "tracking"),
        ("mlflow://Tracking/models/m-1", None),
    ],
)
def test_what_lies_in_a_storage(location: str, storage: str | None) -> None:
    assert root_of(location, ROOTS) == storage


def test_the_longest_prefix_counts_in_any_order() -> None:
    roots = (Root("outer", "s3://bucket"), Root("inner", "s3://bucket/a/b"), Root("middle", "s3://bucket/a"))
    for order in (roots, roots[::-1]):
        assert root_of("s3://bucket/a/b/c", order) == "inner"
        assert root_of("s3://bucket/a/bc", order) == "middle"


PIECES = st.sampled_from(
    ["prefix", "a", "", ".", "..", "%2e%2e", "%2F", "%2f..", "%00", "@", ":", "é", "%FF"]
)


@given(st.lists(PIECES, max_size=6), st.sampled_from(["bucket", "Bucket", "user@bucket", ""]))
def test_a_copy_in_a_bucket_is_one_that_the_storage_would_follow(parts: list[str], host: str) -> None:
    location = f"s3://{host}/" + "/".join(parts)
    try:
        places.under(places.place("s3://bucket/prefix"), location)
    except InconclusiveError:
        opened = False
    else:
        opened = True
    assert (root_of(location, ROOTS) is not None) is opened


def test_with_what_a_location_begins() -> None:
    assert [beginning(root) for root in ROOTS] == [
        "s3://bucket",
        "https://",
        "oci://",
        "hf://owner",
        "mlflow://tracking",
    ]
    assert beginning(Root("folder", "file:///srv/models")) == "file://"


@given(
    root=st.sampled_from((*ROOTS, Root("folder", "file:///srv"))),
    location=st.text(st.sampled_from("s3htpociflmwxe:/.%66Bbucketrgyand-trackingownerlaosv@ö"), max_size=40),
    spelled=st.sampled_from(["", "s3://", "file://", "FILE://", "https://", "HTTPS://", "mlflow://"]),
)
def test_whatever_lies_in_a_storage_begins_so(root: Root, location: str, spelled: str) -> None:
    for text in (spelled + location, root.uri + location, root.uri.swapcase() + location):
        assert root_of(text, (root,)) is None or text.startswith(beginning(root))
