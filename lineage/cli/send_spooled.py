"""`lineage send-spooled`: send signed envelopes that waited on disk for a server. Needs no Django."""

from __future__ import annotations

from pathlib import Path

import click

from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, say, show
from lineage.client import Client
from lineage.client.spool import Spool, default_folder, servers


@click.command(name="send-spooled")
@click.option("--url", envvar="LINEAGE_URL", help="Server to send to.  [env: LINEAGE_URL]")
@click.option("--token", envvar="LINEAGE_TOKEN", help="API key with the scope attest.  [env: LINEAGE_TOKEN]")
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder where pipelines keep what waits.  [env: LINEAGE_SPOOL]",
)
@click.option("--list", "only_list", is_flag=True, help="Say what waits and what was refused; send nothing.")
@click.option("--again", is_flag=True, help="Send what was refused once more too.")
@json_option
def command(
    url: str | None, token: str | None, spool: Path | None, only_list: bool, again: bool, as_json: bool
) -> int:
    """Send the statements that training runs signed while the server was away.

    The next run sends them too; this is for when there is none. Exit code 1 where any still waits or was
    refused.
    """
    folder = spool or default_folder()
    if not url:
        known = servers(folder) if folder.is_dir() else []
        raise click.UsageError(
            f"Give --url. Statements wait for: {', '.join(known)}."
            if known
            else f"Nothing waits in {folder}."
        )
    waits = Spool(url, folder)
    if only_list:
        refused = waits.refused()
        show(as_json, {"waiting": waits.waiting(), "refused": refused}, _told(waits.waiting(), refused))
        return EXIT_FAILED if refused else 0
    if not token:
        raise click.UsageError("Sending needs an API key: give --token, or set LINEAGE_TOKEN.")
    if again:
        waits.again()
    done = waits.deliver(Client(url, token))
    if done.reason and done.waiting:
        say(f"{done.waiting} still wait in {waits.folder}: {done.reason}")
    sent = {name: receipt.index for name, receipt in done.receipts.items()}
    lines = [f"entry {index}  {name}" for name, index in sent.items()]
    shown = {"sent": sent, "refused": done.refused, "waiting": done.waiting, "reason": done.reason}
    show(as_json, shown, [*lines, *_told([], done.refused)] or ["Nothing waited."])
    return EXIT_FAILED if done.waiting or done.refused else 0


def _told(waiting: list[str], refused: dict[str, str]) -> list[str]:
    return [
        *(f"waiting  {name}" for name in waiting),
        *(f"refused  {name}  {reason}" for name, reason in refused.items()),
    ]
