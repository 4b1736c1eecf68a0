"""One visit to an MLflow server: what its steps share.

Owns: the list of what could not be read or has a secret in its name, progress, the newest times that were
seen. Does not own: the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lineage.db.models import Source, SourceObject, SourceProblem
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.mlflow import masking
from lineage.mlflow.api import Mlflow
from lineage.mlflow.errors import SourceError
from lineage.services.clock import now_us
from lineage.services.sync_recorder import Recorder
from lineage.trust import canonical

MAX_REASON = 500
MARKS = 200
ABOUT_ONE = frozenset({"server-error", "cut-off", "too-large", "bad-answer"})
"""Troubles of a SourceError that another request may not meet."""
MODEL_NAME, FILE_NAME = "model-name", "file-name"
"""Kinds of problems: a name that looks as if it held a secret."""
_TELLING_NAME = (
    "It is recorded as it is called, because that is what it is known by, and the name looks as if it held a "
    "password or token. Rename it on the server, and change that secret: the log keeps what it has."
)
MAYBE_ONE = frozenset({"unauthorized", "timeout", "not-mlflow"})
"""Those that another request does not meet where the server still gives its experiments."""


@dataclass
class Visit:
    """`sweep`: everything is looked at; `rehash`: and every byte read again; `first`: nothing was yet; `dry`:
    nothing is written.
    """

    source: Source
    server: Mlflow
    recorder: Recorder
    say: Callable[[int, int, str], None]
    sweep: bool
    rehash: bool
    first: bool
    dry: bool = False
    newest_end_ms: int = 0
    newest_model_ms: int = 0
    newest_version_ms: int = 0
    problems: set[tuple[str, str]] = field(default_factory=set)
    """(kind, id) of what is listed as not readable."""
    marks: list[tuple[int, str, str]] = field(default_factory=list)
    """(row, column, digest) to be written once what is waiting is in the log."""
    seen: dict[str, set[str]] = field(default_factory=dict)
    """By kind, the ids that a sweep has met."""
    looked: int = 0

    def __post_init__(self) -> None:
        listed = SourceProblem.objects.filter(source=self.name)
        self.problems = set(listed.values_list("kind", "external_id"))

    @property
    def name(self) -> str:
        return self.source.name

    def met(self, kind: str, external_id: str) -> None:
        """One more thing was looked at."""
        self.looked += 1
        if self.sweep:
            self.seen.setdefault(kind, set()).add(external_id)

    def progress(self, note: str) -> None:
        """Say how much was looked at, and keep the lease.

        Raises: FencedError, StoppedError (see `Lease.progress`).
        """
        self.say(self.looked, 0, note)

    def after_flush(self, row: int, column: str, digest: str) -> None:
        """Remember of a row that a record was dealt with, once that is in the log."""
        self.marks.append((row, column, digest))

    def flush(self) -> None:
        """Make everything that waits an entry, and then remember what was dealt with."""
        self.recorder.flush()
        marks, self.marks = self.marks, []
        if self.dry:
            return
        columns: dict[str, dict[int, str]] = {}
        for row, column, digest in marks:
            columns.setdefault(column, {})[row] = digest
        for column, rows in columns.items():
            found = list(SourceObject.objects.filter(pk__in=rows).only("pk", column))
            for each in found:
                setattr(each, column, rows[each.pk])
            SourceObject.objects.bulk_update(found, [column], batch_size=MARKS)

    @contextmanager
    def each(self, kind: str, external_id: str) -> Iterator[None]:
        """Around what is done with one thing: where it can't be read it is listed, and the rest goes on.

        Raises: what is not about this thing alone, such as a server that is away or a lost lease.
        """
        try:
            yield
        except SourceError as error:
            if error.trouble in MAYBE_ONE:
                next(self.server.experiments(), None)  # raises where it is about everything
            elif error.trouble not in ABOUT_ONE:
                raise
            self._list(kind, external_id, error.trouble, error.message)
        except (MalformedError, TooLargeError, InconclusiveError) as error:
            self._list(kind, external_id, "unreadable", error.message)
        else:
            self.solved(kind, external_id)

    def named(self, kind: str, external_id: str, names: Iterable[str]) -> None:
        """Names that are recorded as they are, because they are an identity: one with a secret is listed."""
        if any(masking.text(name) != name for name in names):
            self._list(kind, external_id, "secret-in-name", _TELLING_NAME)
        else:
            self.solved(kind, external_id)

    def _list(self, kind: str, external_id: str, slug: str, reason: str) -> None:
        """Something is to be seen on the source's page; it is looked at again next time."""
        if self.dry:
            return
        now, external_id = now_us(), _listed_as(external_id)
        said = {"slug": slug, "reason": _listed_as(reason)[:MAX_REASON], "last_us": now}
        SourceProblem.objects.update_or_create(
            source=self.name,
            kind=kind,
            external_id=external_id,
            defaults=said,
            create_defaults={**said, "first_us": now},
        )
        self.problems.add((kind, external_id))

    def solved(self, kind: str, external_id: str) -> None:
        """It could be read: what was listed of it is no more."""
        if not self.problems:
            return
        external_id = _listed_as(external_id)
        if (kind, external_id) in self.problems:
            if not self.dry:
                SourceProblem.objects.filter(source=self.name, kind=kind, external_id=external_id).delete()
            self.problems.discard((kind, external_id))


def _listed_as(text: str) -> str:
    """Without what looks like a secret: pages and answers show it."""
    return masking.text(canonical.text(text))
