"""`lineage subscriptions`: who is told by e-mail or webhook when something fails."""

from __future__ import annotations

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, say, show, table

_NUMBER = click.argument("number", type=click.IntRange(min=1))


@click.group()
def command() -> None:
    """Who is told when something fails: add, list, test, pause, resume, new-secret, remove."""


@command.command()
@click.argument("kind", type=click.Choice(["email", "webhook"]))
@click.argument("target")
@json_option
def add(kind: str, target: str, as_json: bool) -> None:
    """Tell TARGET, an e-mail address or a webhook's URL, from now on.

    A webhook's secret is printed once, alone on stdout.
    """
    with server.log_ready():
        from lineage.services import subscriptions

        record, secret = subscriptions.add(kind, target, by=server.person())
    say(f"Subscription {record.id}." + (" This is the only time that its secret is shown." if secret else ""))
    value = {"subscription": msgspec.to_builtins(record), "secret": secret}
    show(as_json, value, secret or f"{record.target} is told from now on.")


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Every subscription and how its deliveries go; never a secret."""
    with server.log_ready():
        from lineage.services import subscriptions

        records = subscriptions.listed()
    rows = [
        (str(record.id), record.state, record.kind, record.target, record.tried_at or "never", record.error)
        for record in records
    ]
    head = ("NUMBER", "STATE", "KIND", "TARGET", "LAST TRIED", "ERROR")
    show(as_json, {"subscriptions": msgspec.to_builtins(records)}, table(head, rows))


@command.command()
@_NUMBER
@json_option
def test(number: int, as_json: bool) -> int:
    """Send a test message to NUMBER now. Exit code 1: it was not taken."""
    with server.log_ready():
        from lineage.services import subscriptions

        tried = subscriptions.test(number)
    words = f"The message was taken; that took {tried.ms} ms." if tried.ok else tried.reason
    show(as_json, msgspec.to_builtins(tried), words)
    return 0 if tried.ok else EXIT_FAILED


@command.command()
@_NUMBER
@json_option
def pause(number: int, as_json: bool) -> None:
    """Tell NUMBER nothing, until it is resumed."""
    with server.log_ready():
        from lineage.services import subscriptions

        record = subscriptions.pause(number, by=server.person())
    show(as_json, msgspec.to_builtins(record), f"Subscription {number} is paused.")


@command.command()
@_NUMBER
@json_option
def resume(number: int, as_json: bool) -> None:
    """Tell NUMBER again, first what happened meanwhile."""
    with server.log_ready():
        from lineage.services import subscriptions

        record = subscriptions.resume(number, by=server.person())
    show(as_json, msgspec.to_builtins(record), f"Subscription {number} is told again.")


@command.command("new-secret")
@_NUMBER
@json_option
def new_secret(number: int, as_json: bool) -> None:
    """Make another secret for the webhook NUMBER, printed once, alone on stdout. The one before ends."""
    with server.log_ready():
        from lineage.services import subscriptions

        secret = subscriptions.new_secret(number, by=server.person())
    say("This is the only time that it is shown.")
    show(as_json, {"id": number, "secret": secret}, secret)


@command.command()
@_NUMBER
@json_option
def remove(number: int, as_json: bool) -> None:
    """Tell NUMBER no more, and forget its secret."""
    with server.log_ready():
        from lineage.services import subscriptions

        subscriptions.remove(number, by=server.person())
    show(as_json, {"id": number, "removed": True}, f"Subscription {number} is removed.")
