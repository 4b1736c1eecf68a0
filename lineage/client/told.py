"""What a run used and made, as its script says it: hashed at the moment it is said.

Owns: the two lists, and that a reference that can't be hashed becomes a gap instead of ending the run. Does
not own: the forms of a reference (`references`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from lineage.client.references import describe, to_json
from lineage.errors import LineageError, MalformedError
from lineage.predicates.artifact_refs import ROLES
from lineage.trust.statement import ResourceDescriptor

log = logging.getLogger(__name__)

Reference = str | os.PathLike[str]


class Told:
    """Inputs and outputs of one run. With `strict` what can't be hashed raises, else it is one warning."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[ResourceDescriptor] = []

    def used(self, reference: Reference, *, role: str = "dataset", name: str = "") -> dict[str, str]:
        """Say what the run uses: a path, `<alg>:<hex>`, a URI, or one of these after `NAME=`.

        A file or folder is hashed now. Gives its digest set, empty where it has none: that shows as a gap.

        Raises: MalformedError or InconclusiveError, only where strict.
        """
        try:
            found = _described(reference, role, name)
        except LineageError as error:
            if self.strict:
                raise
            log.warning("An input can't be hashed, and will show as a gap: %s", error.message)
            shown = name or os.fsencode(reference).decode("utf-8", "replace")
            found = ResourceDescriptor(name=shown, annotations=_annotations({}, role))
        self.inputs.append(to_json(found))
        return dict(found.digests)

    def made(self, reference: Reference, *, role: str = "model", name: str = "") -> dict[str, str]:
        """Say what the run made: a path, or `<alg>:<hex>`. A file or folder is hashed now, so say it when
        it is complete. Gives its digest set, empty where it can't be hashed: it is then no output.

        Raises: MalformedError or InconclusiveError, only where strict.
        """
        try:
            found = _described(reference, role, name)
            if not found.digests:
                raise MalformedError(f"{found.name or found.uri} has no digest, and an output needs one.")
        except LineageError as error:
            if self.strict:
                raise
            log.warning("An output can't be hashed, and is not signed: %s", error.message)
            return {}
        self.outputs.append(found)
        return dict(found.digests)


def _described(reference: Reference, role: str, name: str) -> ResourceDescriptor:
    if role and role not in ROLES:
        raise MalformedError(f"There is no role {role!r}; roles are {', '.join(sorted(ROLES))}.")
    found = describe(reference)
    return msgspec.structs.replace(
        found, name=name or found.name, annotations=_annotations(found.annotations, role)
    )


def _annotations(said: Mapping[str, Any], role: str) -> dict[str, Any]:
    known = {"role": role} if role in ROLES else {}
    return {**said, **known}
