"""A large log by itself, in one process: `python -m tests.bench.log_large [--stored N] [--entries N]`.

Statements are really signed, sent and stored, and searched; then rows without envelopes, whose leaves are
real, take the log to its size, are published, and proofs are made. CPU of this process is the figure to
compare; nothing else runs here, no server and no projector. SQLite. No part of `make bench`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from lineage.trust.keys import PrivateKey, generate_ed25519
from tests.bench import load

ROUND = 10_000
SET_LINES = 500
ASKED = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=50_000, help="statements that are sent")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as home:
        for name in [name for name in os.environ if name.startswith("LINEAGE_")]:
            del os.environ[name]
        os.environ["LINEAGE_HOME"] = home
        _begin()
        subjects = _send(arguments.stored)
        _ask("search by a subject's digest", subjects, _search)
        _fill(Path(home) / "lineage.sqlite3", arguments.entries)
        _publish()
        _ask("proof", _some_entries(), _prove)


def _begin() -> None:
    from lineage.cli import first_start, server
    from lineage.config import current

    server.start_django()
    first_start.prepare(current().home, lambda *_: None)
    from lineage.services import bootstrap

    bootstrap.ensure()


def _key() -> PrivateKey:
    from lineage.services import decide
    from lineage.trust.policy import Scopes

    key = generate_ed25519()
    scopes = Scopes(predicate_types=(load.RUN,), builders=(load.BUILDER,), subjects=("bench/*",))
    decide.register_key(key.public.spki, "bench", scopes, person="os:bench")
    return key


def _send(count: int) -> list[str]:
    """Subjects' digests, some of each round. Tells each round's CPU and the memory behind it."""
    from lineage.services import intake
    from lineage.services.receipts import Submitted

    key, found = _key(), []
    for start in range(0, count, ROUND):
        lines = load.envelopes(key, min(ROUND, count - start))
        begin = time.process_time()
        for at in range(0, len(lines), SET_LINES):
            answers = intake.submit_set(lines[at : at + SET_LINES], token="bench")
            receipts = [each.receipt for each in answers if isinstance(each, Submitted)]
            assert len(receipts) == len(answers)
            found.append(f"sha256:{receipts[0].subjects[0].digest['sha256']}")
        cpu = (time.process_time() - begin) / len(lines)
        print(f"{start + len(lines):>9,} sent: {cpu * 1e6:.0f} µs CPU each, {_memory()}", flush=True)
    return found


def _ask(name: str, subjects: Sequence[str], ask: Callable[[str], object]) -> None:
    """Each of `ASKED` questions once, after some that warm up."""
    asked = (list(subjects) * (ASKED // len(subjects) + 1))[:ASKED]
    for subject in asked[:20]:
        ask(subject)
    taken = []
    begin = time.process_time()
    for subject in asked:
        at = time.perf_counter()
        ask(subject)
        taken.append(time.perf_counter() - at)
    cpu = (time.process_time() - begin) / len(asked)
    taken.sort()
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    print(f"{name}: p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, CPU {cpu * 1e3:.2f} ms; {_memory()}")


def _search(subject: str) -> object:
    from lineage.services import as_of, records

    page = records.listed(
        as_of.resolve(None), subject=subject, predicate_type="", signer="", trust="", after="", limit=50
    )
    assert page.attestations
    return page


def _prove(digest: str) -> object:
    from lineage.services import proofs

    return proofs.of_envelope(digest)


def _rows(first: int, end: int, received: int, policy: int) -> Iterator[tuple[object, ...]]:
    """Entries as the log has them, of envelopes that nobody has."""
    from lineage.db import entry_rows
    from lineage.trust.leaf import Leaf
    from lineage.trust.merkle import leaf_hash

    key = hashlib.sha256(b"key").hexdigest()
    for index in range(first, end):
        envelope = hashlib.sha256(b"envelope %d" % index).hexdigest()
        statement = hashlib.sha256(b"statement %d" % index).hexdigest()
        leaf = Leaf("attestation", envelope, statement, received, (key,), policy)
        yield entry_rows.row(
            index,
            "attestation",
            envelope,
            statement,
            received,
            [key],
            policy,
            leaf_hash(leaf.encode()),
            load.RUN,
        )


def _fill(path: Path, entries: int) -> None:
    """Rows up to that size, by a connection that takes no care: nobody else has the file open."""
    from django.db import connections

    from lineage.db import entry_rows
    from lineage.services import log_connection

    log_connection.close()
    connections.close_all()
    begin = time.process_time()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -1000000")
        head = "SELECT size, last_received_us, policy_index FROM log_head"
        size, received, policy = database.execute(head).fetchone()
        number = "(SELECT id FROM log_predicate_type WHERE name = ?)"
        marks = ", ".join(
            number if name == "predicate_type_id" else "?" for name, _ in entry_rows.ENTRIES.columns
        )
        insert = f"INSERT INTO {entry_rows.ENTRIES.into} VALUES ({marks})"
        database.executemany(insert, _rows(size, entries, received, policy))
        database.execute("UPDATE log_head SET size = ?", (max(size, entries),))
        database.commit()
    print(f"{entries:,} entries made in {time.process_time() - begin:.0f} s CPU")


def _publish() -> None:
    from lineage.services import publish

    begin, before = time.process_time(), publish.published_size()
    while publish.publish_once() is not None:
        pass
    count = publish.published_size() - before
    cpu = time.process_time() - begin
    print(f"published {count:,} entries: {cpu / max(count, 1) * 1e6:.1f} µs CPU each; {_memory()}")


def _some_entries() -> list[str]:
    from lineage.db.models import Entry, LogHead

    size = LogHead.objects.get(pk=1).size
    places = [number * 7919 % size for number in range(ASKED)]
    digests = Entry.objects.filter(index__in=places).values_list("envelope_digest", flat=True)
    return [f"sha256:{digest}" for digest in digests]


def _memory() -> str:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, own = (int(lines[name].split()[0]) / 1e3 for name in ("VmRSS", "RssAnon"))
    return f"{resident:.0f} MB, {own:.0f} of its own"


if __name__ == "__main__":
    main()
