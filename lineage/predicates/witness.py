"""Witness collections: one step of a pipeline, told by several attestors at once.

Materials are what the step found before it ran, products what it left: they become the run's inputs and
outputs. A collection's subjects also are e-mail addresses, commits and names, digested so that they can be
searched for; only those that are products are artifacts here. A product that is no subject (Witness can be
told to leave some out) was made by the step, and nobody vouches for it. Environment variables are not shown:
they may hold secrets.

Source: in-toto/go-witness, attestation/collection.go, and attestation/{material,product,git,environment,
commandrun}. No builder is named, so the run is known by the statement itself, as an in-toto link's is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, artifact_keys
from lineage.predicates.artifact_refs import references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.predicates.runs import run
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, utc
from lineage.trust.statement import RawDescriptor, Statement

_HOMES = ("https://witness.dev/attestations/", "https://aflock.ai/attestations/")
MAX_ATTESTATIONS = 200
"""Attestors of one collection."""

_CREDENTIALS = re.compile(r"//[^/@]*@")
_NONE = msgspec.Raw(b"null")


class _Attestation(Wire, frozen=True):
    type: str
    attestation: msgspec.Raw = _NONE
    starttime: str = ""
    endtime: str = ""


class _Collection(Wire, frozen=True):
    name: str = ""
    attestations: list[_Attestation] | None = None


class _Product(Wire, frozen=True, rename=None):
    digest: dict[str, str] | None = None
    mime_type: str = ""


class _Git(Wire, frozen=True):
    commithash: str = ""
    branch: str = ""
    remotes: list[str] | None = None


class _Environment(Wire, frozen=True):
    os: str = ""
    hostname: str = ""


class _CommandRun(Wire, frozen=True):
    cmd: list[str] | None = None
    exitcode: int | None = None


_COLLECTION = msgspec.json.Decoder(_Collection)
_MATERIALS = msgspec.json.Decoder(dict[str, dict[str, str]] | None)
_PRODUCTS = msgspec.json.Decoder(dict[str, _Product] | None)
_GIT = msgspec.json.Decoder(_Git | None)
_ENVIRONMENT = msgspec.json.Decoder(_Environment | None)
_COMMAND = msgspec.json.Decoder(_CommandRun | None)


class _Step(msgspec.Struct):
    """What the attestors of one collection say together."""

    name: str
    started: str = ""
    ended: str = ""
    materials: list[RawDescriptor] = []
    products: list[RawDescriptor] = []
    git: _Git = _Git()
    environment: _Environment = _Environment()
    command: _CommandRun = _CommandRun()
    others: list[str] = []


def _kind(type_uri: str) -> str:
    """`material` for `https://witness.dev/attestations/material/v0.1`; "" for anybody else's attestor."""
    for home in _HOMES:
        if type_uri.startswith(home):
            name, _, version = type_uri.removeprefix(home).partition("/")
            return name if version == "v0.1" else ""
    return ""


def _read(statement: Statement) -> _Step:
    collection = read(_COLLECTION, statement.predicate)
    attestations = collection.attestations or []
    limited(attestations, MAX_ATTESTATIONS, where="$.predicate.attestations")
    step = _Step(collection.name)
    seen: set[str] = set()
    for number, each in enumerate(attestations):
        where = f"$.predicate.attestations[{number}]"
        begun, done = (
            utc(each.starttime, where=f"{where}.starttime"),
            utc(each.endtime, where=f"{where}.endtime"),
        )
        step.started = min(filter(None, (step.started, begun)), default="")
        step.ended = max(step.ended, done)
        kind = _kind(each.type)
        if kind and kind in seen:
            raise MalformedError(f"The attestor {kind} spoke twice.", where=where)
        seen.add(kind)
        _heard(step, kind, each, f"{where}.attestation")
    return step


def _heard(step: _Step, kind: str, each: _Attestation, where: str) -> None:
    """Put into `step` what one attestor says. Raises MalformedError, TooLargeError."""
    raw = bytes(each.attestation)
    if kind == "material":
        step.materials = _files(read(_MATERIALS, raw, where=where) or {}, where)
    elif kind == "product":
        products = read(_PRODUCTS, raw, where=where) or {}
        step.products = _files({path: product.digest or {} for path, product in products.items()}, where)
    elif kind == "git":
        step.git = read(_GIT, raw, where=where) or step.git
    elif kind == "environment":
        step.environment = read(_ENVIRONMENT, raw, where=where) or step.environment
    elif kind == "command-run":
        step.command = read(_COMMAND, raw, where=where) or step.command
    else:
        step.others.append(each.type)


def _files(listed: Mapping[str, dict[str, str]], where: str) -> list[RawDescriptor]:
    limited(list(listed), MAX_REFERENCES, where=where)
    return [RawDescriptor(name=path, digest=listed[path]) for path in sorted(listed)]


def _project(statement: Statement, signer: str) -> GraphDelta:
    step = _read(statement)
    delta = Delta(signer)
    key = run(delta, statement, name=step.name, started=step.started, ended=step.ended)
    for label, value in _facts(step):
        delta.detail(key, label, value)
    if step.git.commithash:
        delta.claim(key, ClaimKind.FINGERPRINT, f"gitCommit:{step.git.commithash}")
    where = "$.predicate.attestations"
    about = {each for subject in statement.subjects for each in artifact_keys(subject.digests)}
    for made in references(delta, step.products, where=f"{where}.product"):
        if made in about:
            delta.claim(made, ClaimKind.ATTESTED, statement.predicate_type)
            delta.edge(made, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
        delta.edge(made, EdgeType.WAS_GENERATED_BY, key)
    for used in references(delta, step.materials, where=f"{where}.material"):
        delta.edge(key, EdgeType.USED, used)
    return delta.finished()


def _facts(step: _Step) -> Rows:
    """What is shown of the run, in the same words on its node and on the statement."""
    return rows(
        ("Command", " ".join(step.command.cmd or ())),
        ("Exit code", step.command.exitcode),
        ("Git commit", step.git.commithash),
        ("Git branch", step.git.branch),
        ("Git remotes", [_CREDENTIALS.sub("//", remote) for remote in step.git.remotes or ()]),
        ("Operating system", step.environment.os),
        ("Host", step.environment.hostname),
    )


def _describe(statement: Statement) -> Rows:
    step = _read(statement)
    heading = rows(("Step", step.name), ("Started", step.started), ("Finished", step.ended))
    lists = told_all("Made", step.products) + told_all("Used", step.materials)
    return heading + _facts(step) + lists + rows(("Also told by", step.others[:20]))


PREDICATE = PredicateType(
    uris=(
        "https://witness.testifysec.com/attestation-collection/v0.1",
        "https://witness.dev/attestation-collection/v0.1",
        "https://aflock.ai/attestation-collection/v0.1",
    ),
    slug="witness-collection",
    title="Witness collection",
    summary="Says what a step of a pipeline found, ran and left, as Witness recorded it.",
    project=_project,
    describe=_describe,
    example="witness-collection.json",
)
