"""`lineage keys`: make a key pair here; register, revoke and list keys in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from lineage.cli import keys_platform, keys_signers, server
from lineage.cli.moments import moment, shown
from lineage.cli.output import json_option, say, show, table
from lineage.client import read_public_key, write_key_pair
from lineage.trust.keys import generate_ed25519
from lineage.trust.policy import Scopes


@click.group()
def command() -> None:
    """Signing keys: make, register, replace, revoke, list; identities and the roots behind them."""


@command.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Private key; the public one is OUT.pub."
)
@json_option
def generate(out: Path, as_json: bool) -> None:
    """Make an Ed25519 key pair. Needs no server; nothing is overwritten."""
    key = generate_ed25519()
    public = write_key_pair(key, out)
    say(f"Private key: {out} (keep it secret). Public key: {public}")
    show(
        as_json, {"key_id": key.public.key_id, "private": str(out), "public": str(public)}, key.public.key_id
    )


@command.command()
@click.option("--name", required=True, help="What the key is called on pages.")
@click.option("--public-key", required=True, type=click.Path(path_type=Path), help="PEM or DER file.")
@click.option("--any", "anything", is_flag=True, help="It may say anything.")
@click.option(
    "--predicate-type", "predicate_types", multiple=True, metavar="URI", help="It may say this. Repeatable."
)
@click.option(
    "--builder", "builders", multiple=True, metavar="ID", help="It may speak for this builder. Repeatable."
)
@click.option("--subject", "subjects", multiple=True, metavar="GLOB", help="Only of such names. Repeatable.")
@click.option("--kind", "kinds", multiple=True, help="Only such kinds of nodes or roles. Repeatable.")
@click.option("--not-before", type=moment, help="In force from this time on.")
@click.option("--not-after", type=moment, help="In force up to this time.")
@json_option
def register(
    name: str,
    public_key: Path,
    anything: bool,
    predicate_types: Sequence[str],
    builders: Sequence[str],
    subjects: Sequence[str],
    kinds: Sequence[str],
    not_before: int | None,
    not_after: int | None,
    as_json: bool,
) -> None:
    """Register a public key, with what it may say. Appends a signed entry."""
    limits = (predicate_types, builders, subjects, kinds)
    if anything == any(limits):
        raise click.UsageError("Say what the key may say: either --any, or --predicate-type and its limits.")
    scopes = Scopes(anything, *(tuple(limit) for limit in limits))
    key = read_public_key(public_key)
    with server.log_ready():
        from lineage.services import decide

        done = decide.register_key(
            key.spki, name, scopes, person=server.person(), not_before_us=not_before, not_after_us=not_after
        )
    value = {"key_id": key.key_id, "entry": msgspec.to_builtins(done.receipt)}
    say(f"Registered as {name} in entry {done.receipt.index}.")
    show(as_json, value, key.key_id)


@command.command()
@click.argument("key_id")
@click.option(
    "--from", "from_us", required=True, type=moment, help="Not believed from this time on; now is one."
)
@click.option("--reason", required=True, help="Why; shown wherever the key is.")
@click.option("--compromised", is_flag=True, help="Somebody else may have used it.")
@json_option
def revoke(key_id: str, from_us: int, reason: str, compromised: bool, as_json: bool) -> None:
    """Revoke a key: what it signed after that time is no longer believed. Appends a signed entry."""
    with server.log_ready():
        from lineage.services import decide

        done = decide.revoke_key(key_id, from_us, reason, person=server.person(), compromised=compromised)
    value = {"key_id": key_id, "entry": msgspec.to_builtins(done.receipt)}
    show(as_json, value, f"Revoked from {shown(from_us)} in entry {done.receipt.index}.")


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Every registered key, newest first."""
    with server.log_ready():
        from lineage.services import as_of, key_records

        now = as_of.resolve(None)
        # Keys are read from the log itself, which may be ahead of the graph.
        records = key_records.list_keys(replace(now, size=now.head))
    rows = [(record.key_id, record.state, record.role, record.name, str(record.signed)) for record in records]
    show(
        as_json,
        {"keys": msgspec.to_builtins(records)},
        table(("KEY ID", "STATE", "ROLE", "NAME", "SIGNED"), rows),
    )


for _other in (*keys_signers.COMMANDS, *keys_platform.COMMANDS):
    command.add_command(_other)
