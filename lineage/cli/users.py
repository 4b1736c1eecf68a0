"""`lineage users`: people who sign in."""

from __future__ import annotations

import sys

import click

from lineage.cli import server
from lineage.cli.output import json_option, say, show

_ROLES = ("auditor", "officer", "operator")


@click.group()
def command() -> None:
    """People who sign in to the pages."""


@command.command()
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(_ROLES), help="What they may do.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin, one line.")
@json_option
def create(email: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Create an account. They sign in at /accounts/login/ with EMAIL.

    The password is asked for on a terminal; otherwise one is made, and printed once.
    """
    with server.database():
        from lineage.services import people

        made = None
        if password_stdin:
            password = sys.stdin.readline().rstrip("\r\n")
        elif sys.stdin.isatty():
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        else:
            password = made = people.generate_password()
        user = people.create(email, role, password)
    value = {"email": user.email, "role": user.role}
    if made:
        say(f"Created {user.email} ({user.role}). The password, shown this once:")
        show(as_json, {**value, "password": made}, made)
    else:
        show(as_json, value, f"Created {user.email} ({user.role}).")


@command.command("reset-factors")
@click.argument("email")
@json_option
def reset_factors(email: str, as_json: bool) -> None:
    """Remove the second factors of EMAIL, who has lost them. The password alone signs in from then on."""
    with server.database():
        from lineage.services import people

        count = people.reset_factors(email)
    show(as_json, {"email": email, "removed": count}, f"Removed {count} second factors of {email}.")
