"""What the commands share that decide something about one artifact: each appends a signed entry.

KEY is an artifact's node key, `sha256:…` or `dirHash:…`. The person is `os:<login>`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import sentence
from lineage.cli.output import say, show
from lineage.errors import MalformedError

if TYPE_CHECKING:
    from lineage.services.receipts import Submitted

reason_option: Callable[[Any], Any] = click.option(
    "--reason", required=True, help="Why, in one line; it stands in the log beside your login."
)


def take(as_json: bool, words: str, decide: Callable[[str], Submitted]) -> None:
    """Decide in the caller's name, once the graph knows all that the log has; show the entry.

    Raises: click.UsageError where an argument is none; LineageError where it can't be decided.
    """
    with server.log_ready():
        from lineage.services import follow

        follow.project()
        try:
            receipt = decide(server.person()).receipt
        except MalformedError as error:
            raise click.UsageError(sentence(error)) from error
        follow.project()
    say(f"{words}, by entry {receipt.index} of the log.")
    show(as_json, msgspec.to_builtins(receipt), str(receipt.index))
