"""`lineage sync`: look at followed MLflow servers now and here, and record what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import by_hand, server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, say, show, table

if TYPE_CHECKING:
    from lineage.services.job_records import JobRecord


@click.command()
@click.option("--sweep", is_flag=True, help="Compare everything there, not only what may have moved.")
@click.option("--rehash", is_flag=True, help="A sweep that hashes every byte again.")
@click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")
@click.argument("source", required=False, default="")
@json_option
def command(sweep: bool, rehash: bool, dry_run: bool, source: str, as_json: bool) -> int:
    """Sync SOURCE, or every source that is not paused.

    A worker may be faster and do it; this command waits either way. Exit code 1: a sync did not come through.
    """
    with server.log_ready():
        names = _names(source)
        if not names:
            say("No MLflow server is followed. Add one: lineage sources add NAME --url https://…")
        if dry_run:
            return _dry(names, sweep=sweep, rehash=rehash, as_json=as_json)
        records = _sync(names, sweep=sweep, rehash=rehash)
    show(as_json, [msgspec.to_builtins(record) for record in records], _lines(records))
    return EXIT_FAILED if any(record.state != "done" for record in records) else 0


def _names(source: str) -> list[str]:
    """Raises: NotFoundError."""
    from lineage.services import sources

    if source:
        return [sources.find(source).name]
    return [row.name for row in sources.listed() if not row.paused]


def _sync(names: Sequence[str], *, sweep: bool, rehash: bool) -> list[JobRecord]:
    from lineage.services import follow, high_water, source_jobs

    high_water.refuse(now=True)  # its jobs would wait until that is mended, and this for them
    ids = [source_jobs.ask(name, sweep=sweep, rehash=rehash, by=server.person()) for name in names]
    with by_hand.draining(source_jobs.KIND):
        records = [by_hand.awaited(job_id, "syncing", lambda count: f"{count:,.0f}") for job_id in ids]
    follow.project()
    return records


def _dry(names: Sequence[str], *, sweep: bool, rehash: bool, as_json: bool) -> int:
    from lineage.services import sync

    found = {name: list(sync.dry_run(name, sweep=sweep, rehash=rehash)) for name in names}
    lines = [f"{name}: {line}" for name, told in found.items() for line in told]
    say(f"{len(lines)} would be recorded; nothing was.")
    show(as_json, found, lines)
    return 0


def _lines(records: Sequence[JobRecord]) -> list[str]:
    rows = []
    for record in records:
        result = {name: value for name, value in (record.result or {}).items() if value}
        found = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in result.items())
        rows.append((record.key, record.state, record.reason or found or "nothing new"))
    return table(("SOURCE", "STATE", "FOUND"), rows)
