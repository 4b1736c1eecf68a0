"""One run as a signed `training-run:v1`: what it used and made, on which machine, from which code.

Owns: where each fact stands in the statement, and that it fits into an envelope. Does not own: finding the
facts (`host_facts`, `code_facts`), hashing (`references`), what the predicate means (`lineage.predicates`).

`environment`, `code`, `status` and `record` are members of ours that the predicate doesn't read: they are
signed, and shown where the whole statement is. What people should see at once stands in `description` and
`hardware`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lineage.client.code_facts import CodeFacts
from lineage.client.host_facts import HostFacts
from lineage.client.statements import build_statement
from lineage.trust import canonical
from lineage.trust.statement import ResourceDescriptor

PREDICATE_TYPE = "urn:lineage:predicate:training-run:v1"

MAX_LISTED_BYTES = 3 << 19
"""Paths and digests of folders' files that one statement lists; an envelope has 8 MiB, in base64."""


class RunFacts(msgspec.Struct):
    """What is said of a run, beside what it used and made. Times are RFC 3339 or "".

    Attributes:
        record: JSON value that stands for the run itself. A run that made nothing is signed as this.
        code_uri: what MLflow's record of the code is called where nobody knows its bytes.
        hardware: SHA-256 (hex) of the machine's identity key, "" where it has none.
    """

    builder: str
    invocation: str
    name: str
    activity: str
    status: str
    started: str
    finished: str
    record: dict[str, Any]
    hardware: str = ""
    host: HostFacts | None = None
    code: CodeFacts | None = None
    code_uri: str = ""
    parameters: Mapping[str, Any] = {}
    metrics: Mapping[str, Any] = {}


def run_statement(
    facts: RunFacts, used: Sequence[Mapping[str, Any]], made: Sequence[ResourceDescriptor]
) -> bytes:
    """The statement's JSON bytes. `used` are descriptors as JSON, with roles as their annotations.

    Raises: MalformedError where a statement can't say it.
    """
    subjects = [*_listed(made)] or [_record(facts)]
    predicate: dict[str, Any] = {
        "builder": {"id": facts.builder},
        "invocationId": facts.invocation,
        "name": facts.name,
        "activity": facts.activity,
        "description": _words(facts),
        "startedOn": facts.started,
        "finishedOn": facts.finished,
        "inputs": [*map(_without_files, used), *_script(facts.code, facts.code_uri)],
        "hardware": _machine(facts),
        "parameters": dict(facts.parameters),
        "metrics": dict(facts.metrics),
        "status": facts.status,
        "record": {"sha256": canonical.digest(facts.record)},
        "code": facts.code.to_json() if facts.code else {},
        "environment": facts.host.to_json() if facts.host else {},
    }
    return build_statement(
        subjects=subjects,
        predicate_type=PREDICATE_TYPE,
        predicate={name: value for name, value in predicate.items() if value not in ("", [], {})},
    )


def now() -> str:
    """This moment as statements write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identity_of(hardware: str) -> str:
    """The digest in `hw:<hex>` or `<hex>`, "" where it is none."""
    said = hardware.strip().removeprefix("hw:").removeprefix("sha256:").lower()
    return said if len(said) == 64 and not set(said) - set("0123456789abcdef") else ""


def _words(facts: RunFacts) -> str:
    """What people see of the run at once."""
    said = [facts.status]
    if facts.host:
        said.append(f"on {facts.host.words}, {facts.host.python}")
    if facts.code and facts.code.commit:
        dirty = ", with edits that are not committed" if facts.code.dirty else ""
        said.append(f"code at commit {facts.code.commit}{dirty}")
    return "; ".join(said)


def _machine(facts: RunFacts) -> list[dict[str, Any]]:
    if facts.hardware:
        name = facts.host.hostname if facts.host else ""
        return [{"name": name, "digest": {"sha256": facts.hardware}}]
    return [{"name": facts.host.words}] if facts.host else []


def _script(code: CodeFacts | None, uri: str) -> list[dict[str, Any]]:
    """The script as an input: its bytes are known, which of a commit they are not."""
    if code is None or not code.sha256:
        return []
    said = {"role": "code", "gitCommit": code.commit, "repository": code.repository}
    return [
        {
            "name": code.script,
            **({"uri": uri} if uri else {}),
            "digest": {"sha256": code.sha256},
            "annotations": {name: value for name, value in said.items() if value},
        }
    ]


def _record(facts: RunFacts) -> ResourceDescriptor:
    content = canonical.encode(facts.record)
    return ResourceDescriptor(
        name=f"record of the run {facts.name or facts.invocation}",
        digests={"sha256": hashlib.sha256(content).hexdigest()},
        annotations={"role": "report"},
    )


def _listed(made: Iterable[ResourceDescriptor]) -> Iterable[ResourceDescriptor]:
    """Each output; the files of folders only as far as they fit."""
    listed = 0
    for each in made:
        files = each.annotations.get("files")
        if isinstance(files, Mapping):
            size = sum(len(str(path).encode()) + 80 for path in files)
            if listed + size > MAX_LISTED_BYTES:
                rest = {name: value for name, value in each.annotations.items() if name != "files"}
                rest["manifest"] = {"sha256": each.digests["dirHash"]}
                yield msgspec.structs.replace(each, annotations=rest)
                continue
            listed += size
        yield each


def _without_files(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """Files of what was used are in the statements about it; here its digest says all."""
    annotations = descriptor.get("annotations")
    if not isinstance(annotations, Mapping) or "files" not in annotations:
        return dict(descriptor)
    rest = {name: value for name, value in annotations.items() if name != "files"}
    return {**descriptor, "annotations": rest}
