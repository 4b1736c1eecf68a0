"""The files of logged models and runs: listed, hashed by ourselves, compared with what they were.

Owns: when files are listed and when they are read again. Does not own: how bytes come
(`lineage.mlflow.artifacts`).

Sizes and names are compared at every sweep; bytes are read again when a listing differs, and of everything
when the visit rehashes, because nothing on an MLflow server shows that a file was written over. What a visit
could not do is left for the next ones, which need not be a sweep or rehash for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Literal

from django.db.models import F

from lineage.db.models import SourceObject, SourceProblem
from lineage.errors import MalformedError
from lineage.mlflow import records
from lineage.mlflow.artifacts import FileListed
from lineage.mlflow.errors import SourceError
from lineage.mlflow.fitting import is_cut
from lineage.mlflow.provenance import ModelBytes, about
from lineage.mlflow.records import FileFound, Record
from lineage.predicates.folders import dir_hash
from lineage.services import mlflow_state
from lineage.services.clock import now_us
from lineage.services.job_lease import StoppedError
from lineage.services.sync_visit import ABOUT_ONE, FILE_NAME, Visit

CHUNK = 100
LISTINGS = 8
"""Walks at a time, as many as there are connections (`lineage.mlflow.connection.Settings`)."""
WAIT_SECONDS = 10.0
"""For a listing, between two words of progress: much less than a lease."""

READ_AGAIN = "read again"
"""In place of a row's `files_digest`: a visit that rehashes could not read all of its files."""
PATIENT_US = 10 * 60_000_000
REST_US = 6 * 3600 * 1_000_000
"""What is read again rests for as long as that has failed, once it is PATIENT_US, and at most this: a try
may read terabytes before it fails."""
UNREADABLE = "could not be read: "

Opened = AbstractContextManager[Iterator[bytes]]
Walk = Future[list[FileListed]]


def models(visit: Visit) -> None:
    """Of logged models that are ready: new and changed ones, all in a sweep."""
    for page in _due(visit, "logged-model"):
        ready = [row for row in page if mlflow_state.unpack(bytes(row.record)).get("status") == "READY"]
        _page(visit, page, ready, visit.server.model_files, _model)


def run_files(visit: Visit) -> None:
    """Of runs that have ended: new and changed ones, all in a sweep."""
    for page in _due(visit, "run"):
        _page(visit, page, page, visit.server.run_files, _run)


def _page(
    visit: Visit,
    page: Sequence[SourceObject],
    listed: Sequence[SourceObject],
    walk: Callable[[str], list[FileListed]],
    record: Callable[[Visit, SourceObject, list[FileListed]], None],
) -> None:
    """List the files of `listed` in parallel, record them in turn, and remember how far that came."""
    ready = {row.pk for row in listed}
    done = [row for row in page if row.pk not in ready]
    try:
        with _walking(listed, walk) as walks:
            for row, files in walks:
                followed = False
                with visit.each(f"{row.kind}-files", row.external_id):
                    record(visit, row, _walked(visit, row, files))
                    followed = True
                if followed:
                    done.append(row)
                else:
                    visit.after_flush(row.pk, "files_digest", READ_AGAIN if _all_bytes(visit, row) else "")
    except (SourceError, StoppedError):
        _remember(visit, done)  # it may have taken hours
        raise
    _remember(visit, done)


@contextmanager
def _walking(
    rows: Sequence[SourceObject], walk: Callable[[str], list[FileListed]]
) -> Iterator[Sequence[tuple[SourceObject, Walk]]]:
    """Each row with its walk, which has begun; none begins any more after the block."""
    with ThreadPoolExecutor(LISTINGS) as pool:
        try:
            yield [(row, pool.submit(walk, row.external_id)) for row in rows]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _walked(visit: Visit, row: SourceObject, walk: Walk) -> list[FileListed]:
    """What a walk has found; the lease is kept while it goes on. Raises: SourceError, and as `progress`."""
    while True:
        visit.progress(f"files of {row.kind} {row.external_id}")
        if wait([walk], WAIT_SECONDS).done:
            return walk.result()


def _remember(visit: Visit, done: Sequence[SourceObject]) -> None:
    for row in done:
        visit.after_flush(row.pk, "files_digest", row.digest)
    _lineage_again(visit, [row for row in done if row.files_digest != row.digest])
    visit.flush()


def _lineage_again(visit: Visit, news: Sequence[SourceObject]) -> None:
    """The runs that these are of or from may have had their lineage said before these were followed."""
    runs = {row.external_id if row.kind == "run" else row.run_id for row in news}
    if not visit.dry:
        settled = SourceObject.objects.filter(source=visit.name, kind="run", external_id__in=runs)
        settled.exclude(settled_digest="").update(settled_digest="")


def _all_bytes(visit: Visit, row: SourceObject) -> bool:
    """Whether its files are to be read though they look as they did."""
    return visit.rehash or row.files_digest == READ_AGAIN


def _due(visit: Visit, kind: str) -> Iterator[list[SourceObject]]:
    """Pages of rows whose files are to be looked at, in the order of their ids."""
    rows = SourceObject.objects.filter(source=visit.name, kind=kind, ended=True).exclude(state="purged")
    if not (visit.sweep and not visit.first):
        rows = rows.exclude(files_digest=F("digest"))
    resting = set() if visit.sweep else _resting(visit, kind)
    last = ""
    while page := list(rows.filter(external_id__gt=last).order_by("external_id")[:CHUNK]):
        yield [row for row in page if row.files_digest != READ_AGAIN or row.external_id not in resting]
        last = page[-1].external_id


def _resting(visit: Visit, kind: str) -> set[str]:
    """Ids of those whose files have failed for so long that they are not tried again yet."""
    now, found = now_us(), set()
    for problem in SourceProblem.objects.filter(source=visit.name, kind=f"{kind}-files"):
        lasted = problem.last_us - problem.first_us
        if lasted >= PATIENT_US and problem.last_us <= now < problem.last_us + min(lasted, REST_US):
            found.add(problem.external_id)
    return found


def _model(visit: Visit, row: SourceObject, listed: Sequence[FileListed]) -> None:
    files, found, before = _files(visit, row, listed, visit.server.read_model_file)
    model = ModelBytes(row.external_id, files.name, _digest(found), _paths(found), row.run_id)
    # The record lists its files, so they need not be said twice.
    described = [about(model, source=visit.name)] if model.digest else []
    visit.recorder.offer(files, before, run=row.run_id, about=described)


def _run(visit: Visit, row: SourceObject, listed: Sequence[FileListed]) -> None:
    files, _, before = _files(visit, row, listed, visit.server.read_run_file)
    if listed or before is not None:  # most runs have none, and say so by having no record of files
        visit.recorder.offer(files, before, run=row.external_id)


def _files(
    visit: Visit, row: SourceObject, listed: Sequence[FileListed], read: Callable[[str, str, str], Opened]
) -> tuple[Record, list[FileFound], SourceObject | None]:
    """The record of the files of a run or model, the files in it, and the row of the record before."""
    kind: Literal["run-files", "logged-model-files"] = (
        "run-files" if row.kind == "run" else "logged-model-files"
    )
    visit.named(FILE_NAME, f"{row.kind} {row.external_id}", (file.path for file in listed))
    record = mlflow_state.unpack(bytes(row.record))
    before = mlflow_state.known(visit.name, kind, [row.external_id]).get(row.external_id)
    opened = partial(read, row.external_id, str(record.get("artifact_uri") or ""))
    found = _hashed(visit, listed, opened, before, all_bytes=_all_bytes(visit, row))
    name = str(record.get("name") or row.external_id)
    return records.files(kind, row.external_id, name, found, ended=True), found, before


def _hashed(
    visit: Visit,
    listed: Sequence[FileListed],
    opened: Callable[[str], Opened],
    before: SourceObject | None,
    *,
    all_bytes: bool,
) -> list[FileFound]:
    """Each file with its SHA-256: read, or as it was where name and size are what they were; with `all_bytes`
    each is read.

    Raises: SourceError where there were files and none is listed: a store that is away lists as an empty
    folder, so that all files gone at once says nothing of them.
    """
    files: Mapping[str, Any] = {}
    if before is not None:
        files = mlflow_state.unpack(bytes(before.record)).get("files") or {}
    if files and not listed:
        raise SourceError(
            "bad-answer",
            "No file is listed any more: they were deleted, or the server's store is away.",
        )
    known = {} if is_cut(files) else files
    found = []
    for file in listed:
        was = known.get(file.path) or {}
        same = was if was.get("size") == file.size else {}
        if same.get("sha256") and not all_bytes:
            found.append(FileFound(file.path, file.size, same["sha256"]))
        else:
            found.append(_read(visit, file, opened, same))
    return found


def _read(
    visit: Visit, file: FileListed, opened: Callable[[str], Opened], was: Mapping[str, Any]
) -> FileFound:
    """`was` is what is known of a file with this name and size: that it can't be read now is no change of it.

    Raises: SourceError where it could be read before, because then it is not known whether it is the same.
    """
    limit = visit.source.max_file_bytes
    if file.size is not None and file.size > limit:
        return FileFound(file.path, file.size, *_as_known(was, f"larger than {limit:,} bytes, so not hashed"))
    try:
        return _digested(visit, file, opened, limit)
    except SourceError as error:
        if error.trouble not in ABOUT_ONE or was.get("sha256"):
            raise
        # Such as a name with a # in it, which MLflow lists and does not give.
        told = str(was.get("reason") or "")  # a server may say something else each time that it fails
        reason = told if told.startswith(UNREADABLE) else f"{UNREADABLE}{error.message}"
        return FileFound(file.path, file.size, None, reason)


def _as_known(was: Mapping[str, Any], reason: str) -> tuple[str | None, str]:
    """Digest and reason of a file that is not read: a digest that is known stays."""
    return (was["sha256"], "") if was.get("sha256") else (None, reason)


def _digested(visit: Visit, file: FileListed, opened: Callable[[str], Opened], limit: int) -> FileFound:
    digest, size = hashlib.sha256(), 0
    # One part is hashed while the next one arrives.
    with opened(file.path) as chunks, ThreadPoolExecutor(1) as beside:
        hashing: Future[None] | None = None
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                return FileFound(file.path, file.size, None, f"larger than {limit:,} bytes, so not hashed")
            if hashing is not None:
                hashing.result()
            hashing = beside.submit(digest.update, chunk)
            visit.progress(f"hashing {file.path}")
    if file.size is not None and size != file.size:
        raise SourceError("cut-off", f"{file.path} is listed with {file.size:,} bytes and {size:,} came.")
    return FileFound(file.path, file.size, digest.hexdigest())


def _paths(found: Sequence[FileFound]) -> dict[str, str]:
    return {file.path: file.sha256 for file in found if file.sha256}


def _digest(found: Sequence[FileFound]) -> dict[str, str]:
    """The digest set of a model with these files; empty where one was not hashed, or there is none."""
    files = _paths(found)
    if not files or len(files) != len(found):
        return {}
    if any("\n" in path for path in files):
        raise MalformedError("A file's name has a line break: such a folder has no dirHash.")
    if len(files) == 1:
        return {"sha256": next(iter(files.values()))}
    return {"dirHash": dir_hash(files)}
