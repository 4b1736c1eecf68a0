"""in-toto vulnerability scans: a scanner looked at a thing and found these vulnerabilities, or none.

None found makes nothing verified. Source: in-toto attestation, spec/predicates/vuln.md (v0.1) and
vulns_02.md (v0.2). The text of v0.1 nests each finding in `vulnerability`, its example
doesn't: both are read.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.findings import looked_at
from lineage.predicates.members import rows
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, required, utc
from lineage.trust.statement import Statement

SHOWN = 20


class _Severity(Wire, frozen=True):
    method: str
    score: str


class _Vulnerability(Wire, frozen=True):
    id: str
    severity: list[_Severity] | None = None


class _Found(Wire, frozen=True):
    id: str | None = None
    severity: list[_Severity] | None = None
    vulnerability: _Vulnerability | None = None


class _Database(Wire, frozen=True):
    uri: str | None = None
    version: str | None = None
    last_update: str | None = None


class _Scanner(Wire, frozen=True):
    uri: str
    result: list[_Found]
    version: str | None = None
    db: _Database | None = None


class _Metadata(Wire, frozen=True):
    scan_started_on: str | None = None
    scan_finished_on: str | None = None


class _Scan(Wire, frozen=True):
    scanner: _Scanner
    metadata: _Metadata | None = None


_DECODER = msgspec.json.Decoder(_Scan)


def _read(statement: Statement) -> tuple[_Scan, list[_Vulnerability]]:
    scan = read(_DECODER, statement.predicate)
    required(scan.scanner.uri, where="$.predicate.scanner.uri")
    where = "$.predicate.scanner.result"
    limited(scan.scanner.result, MAX_REFERENCES, where=where)
    found = []
    for number, each in enumerate(scan.scanner.result):
        one = each.vulnerability or _Vulnerability(each.id or "", each.severity)
        required(one.id, where=f"{where}[{number}].id")
        found.append(one)
    return scan, found


def _facts(scan: _Scan, count: int) -> Rows:
    database, metadata = scan.scanner.db or _Database(), scan.metadata or _Metadata()
    where = "$.predicate"
    return rows(
        ("Vulnerabilities found", count),
        ("Scanner", " ".join(filter(None, (scan.scanner.uri, scan.scanner.version)))),
        ("Scanner's database", " ".join(filter(None, (database.uri, database.version)))),
        ("Database of", utc(database.last_update or "", where=f"{where}.scanner.db.lastUpdate")),
        ("Started", utc(metadata.scan_started_on or "", where=f"{where}.metadata.scanStartedOn")),
        ("Finished", utc(metadata.scan_finished_on or "", where=f"{where}.metadata.scanFinishedOn")),
    )


def _worded(found: _Vulnerability) -> str:
    scores = ", ".join(f"{severity.method} {severity.score}" for severity in (found.severity or [])[:5])
    return f"{found.id} ({scores})" if scores else found.id


def _project(statement: Statement, signer: str) -> GraphDelta:
    scan, found = _read(statement)
    said = dict(_facts(scan, len(found)))
    delta, subjects = looked_at(statement, signer)
    for subject in subjects:
        finished = f", on {said['Finished']}" if "Finished" in said else ""
        delta.detail(subject, "Vulnerability scan", f"{len(found):,} found, by {scan.scanner.uri}{finished}")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    scan, found = _read(statement)
    more = f"and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    shown = [*map(_worded, found[:SHOWN]), more]
    return _facts(scan, len(found)) + rows(*(("Vulnerability", each) for each in shown))


def _bad_news(statement: Statement) -> BadNews | None:
    count = len(_read(statement)[1])
    return BadNews(f"a scan that found {count} vulnerabilities") if count else None


PREDICATE = PredicateType(
    uris=("https://in-toto.io/attestation/vulns/v0.2", "https://in-toto.io/attestation/vulns/v0.1"),
    slug="vulns",
    title="Vulnerability scan",
    summary="Says that a scanner looked at a thing, and which vulnerabilities it found.",
    project=_project,
    describe=_describe,
    schema="vulns.json",
    example="vulns.json",
    bad_news=_bad_news,
)
