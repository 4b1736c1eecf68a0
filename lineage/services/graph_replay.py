"""The log's projection in tables of its own: what the graph is compared with.

Owns: a scratch SQLite file, nameless from the moment its tables are there, so that nothing is left of it
whatever becomes of this process. It is folded by the projector's own code, whatever database serves the
installation. Does not own: what is compared (`graph_check`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from lineage.config import current
from lineage.db.models import Check, Claim, Copy, Edge, Node, SkippedEntry, StatusInterval, Support
from lineage.errors import LogIntegrityError
from lineage.graph import sql
from lineage.graph.model import signer_key
from lineage.services import project, project_entries
from lineage.services.project_batch import Batch
from lineage.services.project_entries import Judged
from lineage.services.trust_cutoffs import cutoffs

BATCH = 2_000
"""Entries folded at once."""

_TABLES = (Node, Edge, Support, Claim, Check, Copy, StatusInterval, SkippedEntry)
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -65536")

Progress = Callable[[int, int, str], None]
"""Takes what is done, what there is in all, and of which work."""
Watcher = Callable[[list[Judged]], None]
"""Takes each batch of entries before it is folded."""


class Replay:
    """Graph tables that hold what the entries below `size` say. `database` is theirs."""

    def __init__(self, database: BaseDatabaseWrapper) -> None:
        self.database = database
        self.size = 0
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def follow(self, size: int, progress: Progress | None = None) -> None:
        """Go on to the entry below `size`.

        Raises: LogIntegrityError where the log has a hole, or ends before.
        """
        while self.size < size:
            entries = project_entries.read(self.size, min(BATCH, size - self.size))
            if not entries:
                raise LogIntegrityError(f"The log ends at {self.size}, the graph goes on to {size}.")
            for watcher in self._watchers:
                watcher(entries)
            self._fold(entries)
            self.size = entries[-1].index + 1
            if progress is not None:
                progress(self.size, size, "reading the log")

    def _fold(self, entries: list[Judged]) -> None:
        believed_until = {signer_key(key_id): index for key_id, index in cutoffs(entries[-1].ring).items()}
        with self.database.cursor() as cursor:
            sql.apply(cursor, Batch(cursor, entries, project.rules(), believed_until).fold())
        self.database.commit()


@contextmanager
def replay() -> Iterator[Replay]:
    """Empty tables, gone with the block or the process."""
    folder = Path(tempfile.mkdtemp(prefix="graph-check-", dir=current().home))
    try:
        name = str(folder / "expected.sqlite3")
        handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})
        database = handler["default"]
        with database.cursor() as cursor:
            for pragma in _PRAGMAS:
                cursor.execute("PRAGMA " + pragma)
        with database.schema_editor(atomic=False) as editor:
            for table in _TABLES:
                editor.create_model(table)
    finally:
        # An open file lives on without its name until it is closed.
        shutil.rmtree(folder)
    try:
        database.set_autocommit(False)
        yield Replay(database)
    finally:
        database.close()
