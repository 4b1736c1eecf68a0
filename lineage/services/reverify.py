"""Re-verification: the bytes of copies are hashed again, and the log says what was found.

Owns: the job `reverify`, its statements of up to 1,000 copies each. Does not own: where copies lie
(`copies`), what follows from a check (`graph.status_copies`).

"Could not check" is not "wrong": what is missing, unreadable or changes meanwhile is inconclusive.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from lineage.artifacts.hashing import FileDigest, dirhash, hash_file
from lineage.artifacts.tree import list_files
from lineage.config import current
from lineage.db.models import Entry, Envelope
from lineage.errors import InconclusiveError, TooLargeError
from lineage.predicates.check import MAX_ROWS
from lineage.services import copies, observe, storages
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from lineage.services.job_lease import Lease, Result
from lineage.trust import dsse, statement
from lineage.trust.leaf import rfc3339

CHECK_TYPE = "urn:lineage:predicate:check:v1"
ALL, DUE = "all", "due"
"""Keys of the jobs that are about every copy, and about those without a match that still counts."""
MAX_REASON = 500


def run(lease: Lease) -> Result:
    """The job `reverify`: its key is a node key, `all` or `due`.

    Raises: NotFoundError for an unknown node.
    """
    return _Sweep(lease, _asked(lease.key)).run()


def _asked(key: str) -> list[Copy]:
    if key in {ALL, DUE}:
        places = storages.listed()
        return [copy for place in places for copy in _of_place(place.name, due=key == DUE)]
    return copies.of_node(key)


def _of_place(name: str, *, due: bool) -> list[Copy]:
    return copies.unsettled(name, limit=1_000_000) if due else copies.of_storage(name, limit=1_000_000)


@dataclass
class _Sweep:
    """One attempt at checking `asked`."""

    lease: Lease
    asked: Sequence[Copy]
    total: int = 0
    done: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def run(self) -> Result:
        self.total = sum(self._size(copy) for copy in self.asked)
        made = self.lease.steps()
        chunks = [self.asked[at : at + MAX_ROWS] for at in range(0, len(self.asked), MAX_ROWS)]
        for number, chunk in enumerate(chunks, 1):
            step = _step(chunk)
            if step in made:  # by an earlier attempt, which then ended
                self.outcomes += _outcomes(made[step])
                self.done += sum(self._size(copy) for copy in chunk)
            else:
                self._check(chunk, step, last=number == len(chunks))
        return self._result()

    def _check(self, chunk: Sequence[Copy], step: str, *, last: bool) -> None:
        rows = [self._row(copy) for copy in chunk]
        self.outcomes += Counter(row["outcome"] for row in rows)
        prepared = observe.prepare("reverifier", CHECK_TYPE, (copy.key for copy in chunk), {"rows": rows})
        self.lease.append(prepared, step, result=self._result() if last else None)

    def _result(self) -> Result:
        return {
            "checked": self.outcomes.total(),
            **{outcome: self.outcomes[outcome] for outcome in ("match", "mismatch", "inconclusive")},
        }

    def _row(self, copy: Copy) -> dict[str, str]:
        """What is found at one copy, as a row of a check."""
        scheme = copy.key.partition(":")[0]
        row = {"digest": copy.key, "location": copy.location, "method": scheme, "expected": copy.key}
        try:
            observed = f"{scheme}:{self._hash(scheme, path_of(copy), copy)}"
            found = {"observed": observed, "outcome": "match" if observed == copy.key else "mismatch"}
        except (InconclusiveError, TooLargeError) as error:
            found = {"outcome": "inconclusive", "reason": error.message[:MAX_REASON]}
        return {**row, **found, "at": rfc3339(now_us())}

    def _hash(self, scheme: str, path: str, copy: Copy) -> str:
        def hashed(count: int) -> None:
            self.done += count
            self.lease.progress(self.done, self.total, copy.location)

        hashed(0)
        if scheme == "sha256":
            return hash_file(path, hashed)
        if scheme == "dirHash":
            # One file after another: progress writes through the database connection of this thread.
            files = [(file.path, os.fsdecode(file.opened)) for file in list_files(os.fsencode(path))]
            return dirhash(FileDigest(name, hash_file(opened, hashed), 0) for name, opened in files)
        raise InconclusiveError(f"{scheme} is not a method by which this re-verifier hashes")

    def _size(self, copy: Copy) -> int:
        """Bytes to be hashed; 0 where that can't be told, which the check then says."""
        self.lease.progress(self.done, self.total, "looking what there is to hash")
        try:
            path = path_of(copy)
            if copy.key.startswith("dirHash:"):
                return sum(os.stat(file.opened).st_size for file in list_files(os.fsencode(path)))
            return os.stat(path).st_size
        except (InconclusiveError, TooLargeError, OSError):
            return 0


def path_of(copy: Copy) -> str:
    """The path to open, all links resolved. Source: RFC 8089, section 2.

    Raises: InconclusiveError where nothing is there, or a link leads out of the storage roots.
    """
    _, _, path = copy.location.removeprefix("file://").encode("utf-8", "surrogatepass").partition(b"/")
    try:
        real = os.path.realpath(b"/" + unquote_to_bytes(path), strict=True)
    except OSError as error:
        raise InconclusiveError(f"nothing can be opened there: {error.strerror}") from error
    roots = [os.path.realpath(os.fsencode(root)).rstrip(b"/") for root in current().storage_roots]
    if not any(real == root or real.startswith(root + b"/") for root in roots):
        raise InconclusiveError("a link there leads out of the storage roots")
    return os.fsdecode(real)


def _step(chunk: Sequence[Copy]) -> str:
    """A step is named by what it covers: a copy that joined since the last attempt makes other steps."""
    names = json.dumps([(copy.key, copy.location) for copy in chunk])
    return hashlib.sha256(names.encode()).hexdigest()


def _outcomes(index: int) -> Counter[str]:
    """What entry `index`, a check, found."""
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)
    envelope = dsse.parse(bytes(Envelope.objects.values_list("content", flat=True).get(pk=digest)))
    predicate = json.loads(statement.parse(envelope.payload_type, envelope.payload).predicate)
    return Counter(row["outcome"] for row in predicate["rows"])
