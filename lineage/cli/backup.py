"""`lineage backup`: everything that is not rebuilt, in one file, while the server goes on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lineage.cli import server
from lineage.cli.output import amount, json_option, progress, say, show
from lineage.errors import NotFoundError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--without-keys", is_flag=True, help="Leave out the platform's private keys.")
@json_option
def command(file: Path, without_keys: bool, as_json: bool) -> None:
    """Write a backup to FILE, which must not exist yet. The server may go on meanwhile.

    Holds the log, accounts, API keys, refused bytes, jobs and, unless they are left out, the platform's
    PRIVATE KEYS. Not the graph: it is projected from the log.
    """
    with server.database():
        from lineage.db.models import LogHead
        from lineage.services import backup, bootstrap

        size = LogHead.objects.values_list("size", flat=True).filter(pk=1).first()
        if not size:
            raise NotFoundError("There is no log to back up: it begins with the first `lineage up`.")
        bootstrap.ensure()
        with progress("writing", size, shown=lambda count: f"{count:.0f} entries") as advance:
            written = backup.write(
                file.absolute(), with_keys=not without_keys, report=lambda done, total: advance(1)
            )
    lines = [
        f"Wrote {file}: {written.entries} entries, {amount(written.bytes)}",
        f"Root hash {written.root_hash}",
        f"Log {written.verifier_key}",
    ]
    show(as_json, {"file": str(file), **asdict(written)}, lines)
    if written.keys:
        say(f"{file} holds the platform's PRIVATE KEYS: whoever has it can sign as this log.")
    else:
        say("It holds no private keys: without the platform's this log can't go on. Keep them elsewhere.")
