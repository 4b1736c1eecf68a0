"""`lineage reverify`: hash the copies of artifacts again, now and here, and record what is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import by_hand, server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, show, table

if TYPE_CHECKING:
    from lineage.services.job_records import JobRecord

KIND = "reverify"


@click.command()
@click.option("--due", is_flag=True, help="Copies without a match that still counts.  [default]")
@click.option("--all", "every", is_flag=True, help="Every copy.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@json_option
def command(due: bool, every: bool, keys: tuple[str, ...], as_json: bool) -> int:
    """Hash copies under LINEAGE_STORAGE_ROOTS again and append what was found to the log.

    KEY is an artifact's node key, `sha256:…` or `dirHash:…`. A worker may be faster and do it; this command
    waits either way. Exit code 1: a copy differs, or could not be looked for.
    """
    if due + every + bool(keys) > 1:
        raise click.UsageError("Give one of --due, --all and KEY….")
    with server.log_ready():
        from lineage.services import follow, jobs

        follow.project()
        asked = keys or ("all" if every else "due",)
        ids = [jobs.enqueue(KIND, key, by=server.person()) for key in asked]
        with by_hand.draining(KIND):
            records = [by_hand.awaited(job_id, "hashing") for job_id in ids]
        follow.project()
    show(as_json, [msgspec.to_builtins(record) for record in records], _lines(records))
    bad = any(record.state == "failed" or (record.result or {}).get("mismatch") for record in records)
    return EXIT_FAILED if bad else 0


def _lines(records: Sequence[JobRecord]) -> list[str]:
    rows = []
    for record in records:
        result = record.result or {}
        found = ", ".join(f"{result.get(name, 0)} {name}" for name in ("match", "mismatch", "inconclusive"))
        rows.append((record.key, record.state, record.reason or found))
    return table(("KEY", "STATE", "FOUND"), rows)
