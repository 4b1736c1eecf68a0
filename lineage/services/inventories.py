"""Inventories: what the bytes of artifacts consist of, recorded once they matched, and read again.

Owns: the statement, what is left out where it grows too large, finding the newest that is believed. Does not
own: looking into files (`check_looks`), or the form (`predicates.inventory`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import msgspec
from django.db.models import QuerySet

from lineage.config import current
from lineage.db.models import Claim, Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import ClaimKind, signer_key
from lineage.predicates import inventory
from lineage.predicates.inventory import Inventory, InventoryFile
from lineage.services import as_of as moments
from lineage.services import keyring, observe, withdrawals
from lineage.services.as_of import AsOf
from lineage.services.log_batch import Prepared
from lineage.services.trust_cutoffs import cutoffs
from lineage.trust import dsse, statement
from lineage.trust.policy import KeyRing

SCANNERS = ("fickling", "picklescan")
_ROOM = 0.6
"""Of the largest envelope, for the payload: base64 makes it a third longer."""


def sizes(keys: Iterable[str]) -> dict[str, int]:
    """Bytes in all of those of the artifacts (node keys) that have an inventory."""
    return {key: int(value.partition(" ")[0]) for key, value in _summaries(keys)}


def unsettled(keys: Iterable[str]) -> dict[str, frozenset[str]]:
    """Those of the artifacts with an inventory of which another name may have more found, with the endings of
    names under which was looked (`formats.ending`)."""
    found = {
        key: inventory.unsettled(value, is_folder=key.startswith("dirHash:"))
        for key, value in _summaries(keys)
    }
    return {key: names for key, names in found.items() if names is not None}


def _summaries(keys: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Artifact and claim, the newest last."""
    rows = _believed(moments.resolve("")).filter(node__key__in=list(keys)).order_by("index")
    return rows.values_list("node__key", "value")


def of_node(key: str, as_of: AsOf | None = None) -> Inventory | None:
    """The newest inventory of the artifact; None where there is none that can be read."""
    rows = _believed(as_of or moments.resolve("")).filter(node__key=key)
    for index in rows.order_by("-index").values_list("index", flat=True)[:3]:
        found = of_entry(index)
        if found is not None:
            return found
    return None


def of_entry(index: int) -> Inventory | None:
    """What entry `index` says, an inventory; None where it can't be read, or is erased."""
    content = Envelope.objects.values_list("content", flat=True).filter(pk=index).first()
    if content is None:
        return None
    try:
        envelope = dsse.parse(bytes(content))
        return inventory.parse(statement.parse(envelope.payload_type, envelope.payload))
    except (MalformedError, TooLargeError):
        return None


def _believed(as_of: AsOf) -> QuerySet[Claim]:
    """What we said ourselves and did not take back, with a key that was not revoked by then."""
    rows = Claim.objects.filter(kind=ClaimKind.INVENTORY, index__lt=as_of.size, trust="observed")
    for key_id, index in cutoffs(keyring.as_of(as_of.size)).items():
        rows = rows.exclude(signer__key=signer_key(key_id), index__gte=index)
    withdrawn = withdrawals.entries(as_of.size)
    return rows.exclude(index__in=withdrawn) if withdrawn else rows


def prepare(key: str, found: Inventory, ring: KeyRing | None = None) -> Prepared:
    """The statement, signed by the re-verifier, with as much of it as an envelope may hold.

    `ring` as in `observe.prepare`.
    """
    return observe.prepare("reverifier", inventory.URI, [key], msgspec.to_builtins(fitted(found)), ring)


def fitted(found: Inventory) -> Inventory:
    """Without parts of files, then without shards, then without files, until it fits."""
    limit = int(current().max_envelope_bytes * _ROOM)
    for leave in (_without_parts, _without_descriptions, _without_files):
        if len(msgspec.json.encode(found)) <= limit and len(found.files) <= inventory.MAX_FILES:
            return found
        found = leave(found)
    return found


@cache
def tools() -> Mapping[str, str]:
    """The scanners that look, with their versions. Asked once: it costs more than hashing a small file."""
    found = {}
    for name in SCANNERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return MappingProxyType(found)


def _without_parts(found: Inventory) -> Inventory:
    def cut(file: InventoryFile) -> InventoryFile:
        if file.description is None:
            return file
        return msgspec.structs.replace(file, description={**file.description, "parts": []})

    files = tuple(cut(file) for file in found.files)
    return msgspec.structs.replace(found, files=files, omitted=("the parts of files",))


def _without_descriptions(found: Inventory) -> Inventory:
    files = tuple(msgspec.structs.replace(file, description=None) for file in found.files)
    return msgspec.structs.replace(found, files=files, omitted=("what is inside of files",))


def _without_files(found: Inventory) -> Inventory:
    return msgspec.structs.replace(found, files=(), omitted=(f"{len(found.files):,} files",))
