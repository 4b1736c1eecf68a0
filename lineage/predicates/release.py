"""in-toto releases: a package registry says which artifacts make up a release.

Source: in-toto attestation, spec/predicates/release.md (v0.2); v0.1 calls `packageId` `releaseId`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, GraphDelta
from lineage.predicates.artifact_refs import opening
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, read
from lineage.trust.statement import Statement


class _Release(Wire, frozen=True):
    purl: str
    package_id: str | None = None
    release_id: str | None = None


_PURL = re.compile(
    r"pkg:/{0,2}[A-Za-z][A-Za-z0-9.+-]*(?:/[^/@?#\s]+)*/[^/@?#\s]+@([^/@?#\s]+)(?:\?[^#\s]*)?(?:#\S*)?",
    re.ASCII,
)
"""With a version. An `@` in a namespace is written `%40`: else a package without version seems to have one.

Source: ECMA-427, package-url, 5.6.
"""

_DECODER = msgspec.json.Decoder(_Release)


def _read(statement: Statement) -> tuple[_Release, str]:
    """The release and its version."""
    release = read(_DECODER, statement.predicate)
    found = _PURL.fullmatch(release.purl)
    if found is None:
        raise MalformedError(
            "This is not a package URL with a version, such as pkg:pypi/urllib3@2.1.0.",
            where="$.predicate.purl",
        )
    return release, unquote(found[1])


def _facts(release: _Release) -> Rows:
    return rows(
        ("Release", release.purl),
        ("Package id", release.package_id),
        ("Release id", release.release_id),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    release, version = _read(statement)
    delta, subjects = opening(statement, signer)
    for subject in subjects:
        delta.claim(subject, ClaimKind.NAME, release.purl)
        delta.claim(subject, ClaimKind.VERSION, version)
        for label, value in _facts(release):
            delta.detail(subject, label, value)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    release, version = _read(statement)
    return rows(("Version", version)) + _facts(release)


PREDICATE = PredicateType(
    uris=("https://in-toto.io/attestation/release/v0.2", "https://in-toto.io/attestation/release/v0.1"),
    slug="release",
    title="Release",
    summary="Says which artifacts make up a release of a package.",
    project=_project,
    describe=_describe,
    schema="release.json",
    example="release.json",
)
