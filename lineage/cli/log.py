"""`lineage log`: the log's public key and its newest checkpoint."""

from __future__ import annotations

import click

from lineage.cli import server
from lineage.cli.moments import shown
from lineage.cli.output import json_option, show
from lineage.errors import NotFoundError


@click.group()
def command() -> None:
    """The log: its public key, its newest checkpoint."""


@command.command()
@json_option
def key(as_json: bool) -> None:
    """The log's public key as a C2SP verifier key (name+hash+base64)."""
    with server.log_ready():
        from lineage.services import publish

        text = publish.verifier_key()
    show(as_json, {"verifier_key": text}, text)


@command.command()
@json_option
def checkpoint(as_json: bool) -> None:
    """The newest published checkpoint, as the signed note that clients verify."""
    with server.log_ready():
        from lineage.services import publish

        newest = publish.newest()
        if newest is None:
            raise NotFoundError("No checkpoint has been published yet.", hint="`lineage up` publishes them.")
        note = bytes(newest.note).decode()
        value = {
            "size": newest.size,
            "root_hash": newest.root_hash,
            "published_at": shown(newest.published_us),
            "verifier_key": publish.verifier_key(),
            "note": note,
        }
    show(as_json, value, note.rstrip("\n"))
