"""Where bytes live: one file a kind of storage, and the tuple of them.

Owns: finding and reading files, guarded against paths, redirects and addresses that lead elsewhere. Does not
own: hashing, formats, which storages are configured.
"""

from __future__ import annotations

from lineage.artifacts.storage.azure import AZURE
from lineage.artifacts.storage.base import (
    Access,
    GoneError,
    Item,
    MissingError,
    Scheme,
    Storage,
)
from lineage.artifacts.storage.files import FILE
from lineage.artifacts.storage.gcs import GCS
from lineage.artifacts.storage.https import HTTP
from lineage.artifacts.storage.huggingface import HUGGING_FACE
from lineage.artifacts.storage.oci import OCI
from lineage.artifacts.storage.s3 import S3
from lineage.errors import MalformedError

SCHEMES: tuple[Scheme, ...] = (FILE, S3, GCS, AZURE, HTTP, OCI, HUGGING_FACE)

_BY_KIND = {scheme.kind: scheme for scheme in SCHEMES}
if len(_BY_KIND) != len(SCHEMES):
    raise RuntimeError("two kinds of storage have one name")


def by_kind(kind: str) -> Scheme:
    """Raises: MalformedError for a kind that there is not."""
    try:
        return _BY_KIND[kind]
    except KeyError:
        raise MalformedError(f"There is no kind of storage named {kind!r}.") from None


__all__ = ["SCHEMES", "Access", "GoneError", "Item", "MissingError", "Scheme", "Storage", "by_kind"]
