"""What the bytes of logged models are, as the log knows them.

Owns: from rows to `ModelBytes`. Does not own: hashing (`sync_bytes`).
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.db.models import SourceObject
from lineage.mlflow.provenance import ModelBytes
from lineage.services import mlflow_state


def of_models(source: str, model_ids: Iterable[str]) -> dict[str, ModelBytes]:
    """What each was when it was hashed first: a run made that, whatever lies in its place now.

    Without digest where it was never hashed; in the order of the ids, unknown ones left out.
    """
    ids = list(dict.fromkeys(model_ids))
    models = mlflow_state.known(source, "logged-model", ids)
    files = mlflow_state.known(source, "logged-model-files", ids)
    return {
        each: _bytes(models.get(each), files.get(each)) for each in ids if each in models or each in files
    }


def _bytes(model: SourceObject | None, files: SourceObject | None) -> ModelBytes:
    known = model or files
    assert known is not None
    record = mlflow_state.unpack(bytes(known.record))
    digest: dict[str, str] = {}
    listed: dict[str, str] = {}
    if files is not None and files.first_artifact:
        algorithm, _, value = files.first_artifact.partition(":")
        digest = {algorithm: value}
        if files.artifact == files.first_artifact and algorithm == "dirHash":
            listed = files_of(files)
    name = str(record.get("name") or known.external_id)
    return ModelBytes(known.external_id, name, digest, listed, known.run_id)


def files_of(row: SourceObject) -> dict[str, str]:
    """Path → SHA-256 of the files of a record that were hashed; none where the record had to be cut."""
    listed = mlflow_state.unpack(bytes(row.record)).get("files")
    if not isinstance(listed, dict):
        return {}
    hashed = {path: each.get("sha256") for path, each in listed.items() if isinstance(each, dict)}
    return {path: value for path, value in hashed.items() if isinstance(value, str)}
