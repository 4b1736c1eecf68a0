"""From locations to paths under a storage, and nothing that leads elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.artifacts import tree
from lineage.artifacts.storage import SCHEMES, Access, GoneError, Item, by_kind, places, web
from lineage.artifacts.storage.ranged import Version
from lineage.errors import InconclusiveError, TooLargeError

BASE = places.place("s3://bucket/some/prefix")


@pytest.mark.parametrize(
    ("location", "path", "folder"),
    [
        ("s3://bucket/some/prefix", b"", False),
        ("s3://bucket/some/prefix/", b"", True),
        ("s3://bucket/some/prefix/a/b", b"a/b", False),
        ("s3://bucket/some/prefix/a%20%23b/", b"a #b", True),
        ("s3://bucket/some/%70refix/%ff", b"\xff", False),
        ("s3://bucket/some/prefix/%2520", b"%20", False),
        ("s3://bucket/some/prefix/%zz", b"%zz", False),
        ("s3://bucket/some/prefix/\u00e4", "\u00e4".encode(), False),
    ],
)
def test_what_lies_under_a_storage(location: str, path: bytes, folder: bool) -> None:
    found = places.under(BASE, location)
    assert (found.path, found.folder) == (path, folder)


@pytest.mark.parametrize(
    "location",
    [
        *(
            "s3://bucket/some/prefix2/a",
            "s3://bucket/some",
            "s3://other/some/prefix/a",
            "gs://bucket/some/prefix/a",
        ),
        *("s3://bucket/some/prefix/../a", "s3://bucket/some/prefix/%2e%2E/a", "s3://bucket/some/prefix/./a"),
        *("s3://bucket/some/prefix//a", "s3://bucket/some/prefix/a%2fb", "s3://bucket/some/prefix/a%00"),
        *("s3://bucket/some/prefix/a?b", "s3://bucket/some/prefix/a#b", "s3://u@bucket/some/prefix/a"),
        *("s3:///some/prefix", "s3:bucket", "", "/", "s3://bucket/some/prefix/" + "a" * 9000),
    ],
    ids=lambda location: location[:40],
)
def test_what_does_not(location: str) -> None:
    with pytest.raises(InconclusiveError):
        places.under(BASE, location)


def test_letters_of_hosts_have_no_case_and_those_of_names_have() -> None:
    places.under(places.place("https://Example.org/a"), "https://eXAMPLE.ORG/a/b")
    with pytest.raises(InconclusiveError):
        places.under(places.place("hf://Owner"), "hf://owner/name")


@given(st.binary(min_size=1, max_size=40))
def test_every_path_of_bytes_comes_back_or_is_refused(path: bytes) -> None:
    try:
        found = places.under(BASE, f"s3://bucket/some/prefix/{places.quoted(path)}")
    except InconclusiveError:
        return
    assert found.path + (b"/" if found.folder else b"") == path
    assert b".." not in found.segments


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        found = places.under(BASE, text)
    except InconclusiveError:
        return
    assert not {b"", b".", b".."} & set(found.segments)


def test_names_that_are_no_text_are_inconclusive_where_names_are_text() -> None:
    with pytest.raises(InconclusiveError):
        places.text(b"\xff")


def test_listings_are_put_in_order_and_have_nothing_twice() -> None:
    items = [Item(path, None, "") for path in (b"b", b"B", b"a/b", b"a-b", b"a")]
    assert [item.path for item in places.in_order(items)] == [b"B", b"a", b"a-b", b"a/b", b"b"]
    with pytest.raises(InconclusiveError):
        places.in_order([Item(b"a", None, "1"), Item(b"a", None, "2")])
    with pytest.raises(TooLargeError):
        places.within_limit(tree.MAX_FILES + 1)


@pytest.mark.parametrize("path", [b"", b"/a", b"a/", b"a//b", b"./a", b"a/..", b"a\nb", b"a\0b"])
def test_what_is_no_path_in_a_listing(path: bytes) -> None:
    with pytest.raises(InconclusiveError):
        places.listed(path)


# Versions


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Version(1, '"a"', "then"), Version(1, '"a"', "later"), True),
        (Version(1, '"a"'), Version(2, '"a"'), False),
        (Version(1, '"a"'), Version(1, '"b"'), False),
        (Version(1, "", "then"), Version(1, "", "later"), False),
        (Version(1, '"a"', "then"), Version(1, "", "later"), False),
        (Version(None, '"a"'), Version(1, '"a"'), True),
        (Version(1), Version(1, '"a"'), True),
    ],
)
def test_whether_two_versions_are_the_same(one: Version, other: Version, same: bool) -> None:
    assert one.same(other) is other.same(one) is same


@pytest.mark.parametrize(
    ("version", "conditions"),
    [
        (Version(1, '"a"', "then"), {"If-Match": '"a"'}),
        (Version(1, 'W/"a"', "then"), {"If-Unmodified-Since": "then"}),
        (Version(1, 'W/"a"'), {}),
    ],
)
def test_with_what_a_version_is_asked_for(version: Version, conditions: dict[str, str]) -> None:
    assert version.conditions == conditions
    assert version.pinned is bool(conditions)


# Kinds


def test_each_kind_has_a_name_and_schemes_of_its_own() -> None:
    kinds = [scheme.kind for scheme in SCHEMES]
    schemes = [name for scheme in SCHEMES for name in scheme.schemes]
    assert kinds == ["file", "s3", "gcs", "azure", "http", "oci", "huggingface"]
    assert len(set(schemes)) == len(schemes)
    assert all(by_kind(kind).kind == kind for kind in kinds)
    members = set(Access.__dataclass_fields__)
    assert all(set(scheme.needs) <= members for scheme in SCHEMES)


def test_secrets_are_not_shown() -> None:
    shown = repr(Access("s3", "s3://b", secret="hidden", token="hidden"))
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("endpoint", "insecure", "url"),
    [
        ("minio.example.org:9000", False, "https://minio.example.org:9000"),
        ("minio.example.org", True, "http://minio.example.org"),
        ("http://minio.example.org/base/", False, "http://minio.example.org/base"),
        ("https://[::1]:9000", True, "https://[::1]:9000"),
    ],
)
def test_endpoints(endpoint: str, insecure: bool, url: str) -> None:
    assert web.endpoint(Access("s3", "s3://b", endpoint, insecure_http=insecure)) == url


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "https://u@x", "https://x/?y", "https://", "https://x y", "x#y"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(GoneError):
        web.endpoint(Access("s3", "s3://b", endpoint))
