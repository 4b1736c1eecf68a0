"""`lineage log`: the log's public key and its newest checkpoint."""

from __future__ import annotations

from dataclasses import replace

import click
import msgspec

from lineage.cli import server
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
        from lineage.services import as_of, logbook

        now = as_of.resolve(None)
        book = logbook.read(replace(now, size=now.head))
    if book.checkpoint is None:
        raise NotFoundError(
            "No checkpoint has been published yet.", hint="The worker publishes; run `lineage up`."
        )
    value = {"origin": book.origin, "verifier_key": book.verifier_key, **msgspec.to_builtins(book.checkpoint)}
    show(as_json, value, book.checkpoint.note.rstrip("\n"))
