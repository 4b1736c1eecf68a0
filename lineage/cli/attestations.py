"""`lineage attestations`: take back a statement that is in the log, as a signed decision."""

from __future__ import annotations

import click
import msgspec

from lineage.cli import server
from lineage.cli.output import json_option, say, show


@click.group()
def command() -> None:
    """Statements in the log: withdraw one."""


@command.command("withdraw")
@click.argument("statement", metavar="DIGEST")
@click.option("--reason", required=True, help="Why, in one line; it is part of the decision.")
@json_option
def withdraw(statement: str, reason: str, as_json: bool) -> None:
    """Withdraw the statement with the payload DIGEST (sha256:..., as its page says). Appends a signed entry.

    From there on nothing that it said is believed, whoever signed it. It can't be undone.
    """
    with server.log_ready():
        from lineage.services import withdraw as withdrawing

        done = withdrawing.withdraw(statement, reason, person=server.person())
    say(f"Withdrawn: from entry {done.receipt.index} on nothing that it says is believed.")
    show(as_json, msgspec.to_builtins(done.receipt), str(done.receipt.index))
