"""`lineage tokens`: API keys for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from lineage.cli import server
from lineage.cli.durations import duration
from lineage.cli.moments import moment, to_datetime
from lineage.cli.output import json_option, say, show, table

if TYPE_CHECKING:
    from lineage.db.models import ApiToken


@click.group()
def command() -> None:
    """API keys for programs: create, rotate, revoke, list."""


@command.command()
@click.option("--name", required=True, help="Which program it is for.")
@click.option(
    "--scope", "scopes", required=True, multiple=True, help="attest, read, check, decide or operate."
)
@click.option("--expires", type=moment, help="It ends at this time.")
@json_option
def create(name: str, scopes: Sequence[str], expires: int | None, as_json: bool) -> None:
    """Make an API key. Its secret is printed once, alone on stdout."""
    with server.database():
        from lineage.services import tokens

        token, secret = tokens.create(name, scopes, expires_at=to_datetime(expires), by=server.person())
    say(f"API key {token.name} ({token.scopes}). This is the only time that it is shown.")
    show(as_json, {**_value(token), "token": secret}, secret)


@command.command()
@click.argument("prefix")
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """End an API key now, by its PREFIX (lin_…), the part that lists show."""
    with server.database():
        from lineage.services import tokens

        token = tokens.revoke(prefix)
    show(as_json, _value(token), f"Revoked: {token.name} (lin_{token.prefix}).")


@command.command()
@click.argument("prefix")
@click.option(
    "--overlap", type=duration, default="24h", show_default=True, help="How long the old secret still works."
)
@click.option("--expires", type=moment, help="The new key ends at this time. Without: as long a life again.")
@json_option
def rotate(prefix: str, overlap: timedelta, expires: int | None, as_json: bool) -> None:
    """Give a program a new secret. The old one, named by its PREFIX (lin_…), ends after the overlap.

    The new secret is printed once, alone on stdout.
    """
    with server.database():
        from lineage.services import tokens

        token, secret = tokens.rotate(
            prefix, by=server.person(), overlap=overlap, expires_at=to_datetime(expires)
        )
        old = tokens.get(token.replaces)
    ends = old.expires_at.isoformat(timespec="seconds") if old.expires_at else "never"
    say(f"API key {token.name} ({token.scopes}). The old one, lin_{old.prefix}, ends {ends}.")
    show(as_json, {**_value(token), "token": secret, "replaced": _value(old)}, secret)


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Every API key, newest first; never a secret."""
    with server.database():
        from lineage.services import tokens

        values = [_value(token) for token in tokens.listed()]
    columns = ("prefix", "state", "scopes", "name", "expires_at", "last_used_at")
    rows = [[str(value[column] or "") for column in columns] for value in values]
    show(
        as_json,
        {"tokens": values},
        table(("PREFIX", "STATE", "SCOPES", "NAME", "EXPIRES", "LAST USED"), rows),
    )


def _value(token: ApiToken) -> dict[str, Any]:
    from django.utils import timezone

    ended = token.expires_at is not None and token.expires_at <= timezone.now()
    return {
        "name": token.name,
        "prefix": f"lin_{token.prefix}",
        "scopes": token.scopes,
        "state": "revoked" if token.revoked_at else "expired" if ended else "in-force",
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
        "replaces": f"lin_{token.replaces}" if token.replaces else None,
    }
