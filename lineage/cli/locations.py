"""`lineage locations`: where bytes live, so that they can be read and checked again.

Secrets come from files, stdin or a prompt, never from arguments, which other users of the machine can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.location_copies import add_copy, withdraw_copy
from lineage.cli.options import options
from lineage.cli.output import amount, json_option, show, table
from lineage.cli.secret_files import read_secret
from lineage.cli.text_files import STDIN, read_text
from lineage.errors import MalformedError

if TYPE_CHECKING:
    from lineage.services.storage_values import StorageValues

KINDS = ("s3", "gcs", "azure", "http", "oci", "huggingface")
SECRETS = ("secret", "token")
_OPTIONS = options(
    click.option("--endpoint", metavar="URL", help="Of a compatible service; of OCI the token service."),
    click.option("--region", help="Of S3."),
    click.option("--username", help="User, account, or access key id."),
    click.option("--secret-file", metavar="FILE", help="Password or key; - is stdin; an empty file clears."),
    click.option("--token-file", metavar="FILE", help="Session or bearer token, as --secret-file."),
    click.option("--ca", metavar="FILE", help="PEM certificates to trust; an empty file clears."),
    click.option("--insecure-http/--tls", default=None, help="Ask an OCI registry without TLS."),
)


@click.group()
def command() -> None:
    """Storages whose files are checked: add, change, list, check, pause, resume, remove. Copies in them."""


command.add_command(add_copy)
command.add_command(withdraw_copy)


@command.command()
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(KINDS))
@click.option("--uri", required=True, help="What its locations begin with, such as s3://bucket/prefix.")
@_OPTIONS
@json_option
def add(name: str, kind: str, uri: str, as_json: bool, **given: Any) -> None:
    """Configure a storage under NAME, which never changes. What lies there are copies from then on."""
    with server.log_ready():
        from lineage.services import storage_records

        values = _values({"uri": uri, **given}, ask=bool(given["username"]))
        storage_records.add(name, kind, values, by=server.person())
        _show(name, as_json, f"{name} is configured. Try it: lineage locations check {name}")


@command.command()
@click.argument("name")
@click.option("--uri", help="Another address; its secrets have to be given again.")
@_OPTIONS
@json_option
def change(name: str, uri: str | None, as_json: bool, **given: Any) -> None:
    """Change what is said of NAME; all else stays, secrets too."""
    with server.log_ready():
        from lineage.services import storage_records

        values = _values({"uri": uri, **given}, ask=False)
        storage_records.change(name, values, by=server.person())
        _show(name, as_json, f"{name} is changed.")


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Every storage, folders and MLflow servers too, and how what lies there stands; never a secret."""
    with server.log_ready():
        from lineage.services import storage_figures

        records = storage_figures.every()
    rows = [
        (
            record.name,
            record.kind,
            record.state,
            record.uri,
            str(record.copies.total),
            str(record.copies.mismatch),
            str(record.copies.overdue),
            amount(record.copies.bytes),
            record.last_sweep.finished_at if record.last_sweep else "never",
            record.error,
        )
        for record in records
    ]
    head = (
        "NAME", "KIND", "STATE", "ADDRESS", "COPIES", "FAILED", "OVERDUE", "BYTES", "LAST SWEEP", "ERROR"
    )  # fmt: skip
    show(as_json, {"locations": msgspec.to_builtins(records)}, table(head, rows))


@command.command()
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> int:
    """Reach NAME now, and say what answers. Exit code 1: it can't be reached."""
    with server.log_ready():
        from lineage.services import storage_records

        found = storage_records.check(name)
    words = f"{name} answers; it took {found.ms} ms." if found.ok else found.reason
    show(as_json, msgspec.to_builtins(found), words)
    return 0 if found.ok else EXIT_FAILED


@command.command()
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Read nothing in NAME until it is resumed; its copies age all the same."""
    with server.log_ready():
        from lineage.services import storage_records

        storage_records.pause(name, by=server.person())
        _show(name, as_json, f"{name} is paused.")


@command.command()
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Read in NAME again."""
    with server.log_ready():
        from lineage.services import storage_records

        storage_records.resume(name, by=server.person())
        _show(name, as_json, f"{name} is read again.")


@command.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Open NAME no more, and forget its secrets. What was found there stays in the log."""
    with server.log_ready():
        from lineage.services import storage_records

        storage_records.remove(name, by=server.person())
    words = f"{name} is removed. What was found there stays in the log."
    show(as_json, {"name": name, "removed": True}, words)


def _show(name: str, as_json: bool, words: str) -> None:
    from lineage.services import storage_figures

    show(as_json, msgspec.to_builtins(storage_figures.read(name)), words)


def _values(given: Mapping[str, Any], *, ask: bool) -> StorageValues:
    """What the options say; `ask`: for a secret, on a terminal. Raises: MalformedError."""
    from lineage.services.storage_values import StorageValues

    said = {name: value for name, value in given.items() if value is not None}
    if "ca" in said:
        said["ca_pem"] = read_text(said.pop("ca"), "ca_pem")
    files = {field: said.pop(f"{field}_file", "") for field in SECRETS}
    if list(files.values()).count(STDIN) > 1:
        raise MalformedError("Only one secret can come from stdin.")
    for field, path in files.items():
        asked = ask and field == "secret" and not any(files.values())
        secret = read_secret(path, field, ask="Password or key" if asked else "")
        if secret is not None:
            said[field] = secret
    return StorageValues(**said)
