"""Build an in-toto statement and sign it.

Owns: where materials go in a predicate, the envelope as a pipeline makes it. Does not own: what a predicate
means (`lineage.predicates`), signatures (`lineage.trust`), sending (`sending`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from lineage.artifacts.hashing import Progress
from lineage.client.references import describe, to_json
from lineage.errors import MalformedError
from lineage.predicates import find
from lineage.trust import dsse, strictjson
from lineage.trust import statement as statements
from lineage.trust.keys import PrivateKey
from lineage.trust.statement import ResourceDescriptor

Reference = str | os.PathLike[str] | ResourceDescriptor
"""A path, a reference as `describe` reads it, or a descriptor that is ready."""


def build_statement(
    *,
    subjects: Sequence[Reference],
    predicate_type: str,
    predicate: Mapping[str, Any] | None = None,
    materials: Sequence[Reference] = (),
    progress: Progress | None = None,
) -> bytes:
    """The JSON bytes of an in-toto Statement v1: files and folders are hashed here.

    `materials` are appended to the member of the predicate that lists what was used, which each predicate
    type names (SLSA: `buildDefinition.resolvedDependencies`). `progress` is called with bytes hashed.

    Raises:
        MalformedError: no subject, one without a digest, a reference that is none, materials for a predicate
            type that lists none, a predicate that its type can't read.
        InconclusiveError: something can't be hashed.
    """
    content = dict(predicate or {})
    if materials:
        content = _with_materials(
            content, predicate_type, [to_json(_described(material, progress)) for material in materials]
        )
    statement = {
        "_type": statements.STATEMENT_V1,
        "subject": [to_json(_described(subject, progress)) for subject in subjects],
        "predicateType": predicate_type,
        "predicate": content,
    }
    try:
        payload = json.dumps(statement, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:  # a NaN, a lone surrogate, or no JSON value at all
        raise MalformedError(f"The predicate can't be written as JSON: {error}.") from error
    statements.parse(dsse.INTOTO_PAYLOAD_TYPE, payload)  # what a server would refuse is refused here
    return payload


def attest(
    *,
    key: PrivateKey,
    subjects: Sequence[Reference],
    predicate_type: str,
    predicate: Mapping[str, Any] | None = None,
    materials: Sequence[Reference] = (),
    progress: Progress | None = None,
) -> bytes:
    """A signed DSSE envelope (JSON bytes) of what `build_statement` makes; raises as it does."""
    payload = build_statement(
        subjects=subjects,
        predicate_type=predicate_type,
        predicate=predicate,
        materials=materials,
        progress=progress,
    )
    return dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)


def parse_predicate(data: bytes) -> dict[str, Any]:
    """A predicate file's JSON object.

    Raises: MalformedError where it is no strict JSON or no object, TooLargeError where it nests too deeply.
    """
    strictjson.check(data, what="predicate")
    content = json.loads(data)
    if not isinstance(content, dict):
        raise MalformedError("The predicate is not a JSON object.")
    return content


def _described(reference: Reference, progress: Progress | None) -> ResourceDescriptor:
    if isinstance(reference, ResourceDescriptor):
        return reference
    return describe(reference, progress)


def _with_materials(
    predicate: Mapping[str, Any], predicate_type: str, materials: list[dict[str, Any]]
) -> dict[str, Any]:
    """A copy of `predicate` with `materials` at the end of the list that its type keeps them in."""
    known = find(predicate_type)
    if known is None or not known.materials:
        raise MalformedError(
            f"The predicate type {predicate_type} has no place that is known here for materials.",
            hint="Write them into the predicate yourself.",
        )
    return _appended(predicate, known.materials, materials, ".".join(("predicate", *known.materials)))


def _appended(
    members: Mapping[str, Any], path: Sequence[str], items: list[dict[str, Any]], where: str
) -> dict[str, Any]:
    name, *below = path
    inner = members.get(name)
    if below and isinstance(inner, dict | None):
        return {**members, name: _appended(inner or {}, below, items, where)}
    if not below and isinstance(inner, list | None):
        return {**members, name: [*(inner or []), *items]}
    raise MalformedError(
        "Materials can't be added to the predicate, which has something else there.", where=where
    )
