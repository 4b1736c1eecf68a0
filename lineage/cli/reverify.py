"""`lineage reverify`: hash the copies of artifacts again, now and here, and record what is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import by_hand, server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import amount, json_option, show, table

if TYPE_CHECKING:
    from lineage.services.job_records import JobRecord

KIND = "reverify"


@click.command()
@click.option("--due", is_flag=True, help="Copies without a match that still counts.  [default]")
@click.option("--all", "every", is_flag=True, help="Every copy.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@json_option
def command(due: bool, every: bool, keys: tuple[str, ...], as_json: bool) -> int:
    """Read copies again wherever they lie and append what was found to the log.

    KEY is an artifact's node key, `sha256:…` or `dirHash:…`. A worker may be faster and do it; this command
    waits either way. Nothing is read in a paused storage. Exit code 1: a copy differs, its storage is gone,
    one of KEY lies in a paused storage, or it could not be looked for.
    """
    if due + every + bool(keys) > 1:
        raise click.UsageError("Give one of --due, --all and KEY….")
    with server.log_ready():
        from lineage.services import follow, high_water, jobs

        high_water.refuse(now=True)  # its job would wait until that is mended, and this for the job
        follow.project()
        asked = keys or ("all" if every else "due",)
        ids = [jobs.enqueue(KIND, key, by=server.person()) for key in asked]
        with by_hand.draining(KIND):
            shown = amount if keys else _copies
            records = [by_hand.awaited(job_id, "hashing", shown) for job_id in ids]
        follow.project()
    show(as_json, [msgspec.to_builtins(record) for record in records], _lines(records))
    return EXIT_FAILED if any(_is_bad(record) for record in records) else 0


def _is_bad(record: JobRecord) -> bool:
    result = record.result or {}
    unread = ":" in record.key and result.get("paused")
    return record.state == "failed" or bool(result.get("mismatch") or result.get("gone") or unread)


def _copies(count: float) -> str:
    return f"{count:,.0f} copies"


def _lines(records: Sequence[JobRecord]) -> list[str]:
    rows = []
    for record in records:
        result = record.result or {}
        found = ", ".join(f"{result.get(name, 0)} {name}" for name in ("match", "mismatch", "inconclusive"))
        gone = result.get("gone")
        if isinstance(gone, dict):
            found += "".join(f"; {name} is gone: {why}" for name, why in gone.items())
        paused = result.get("paused")
        if isinstance(paused, dict):
            found += "".join(f"; {name} is paused: {count} not read" for name, count in paused.items())
        rows.append((record.key, record.state, record.reason or found))
    return table(("KEY", "STATE", "FOUND"), rows)
