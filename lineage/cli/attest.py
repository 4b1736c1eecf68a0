"""`lineage attest`: hash, build the statement, sign it, send it. Needs no database and no Django."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click
import msgspec

from lineage.cli.output import json_option, progress, say, show
from lineage.client import Client, Receipt, Wait, attest, parse_predicate, read_private_key
from lineage.errors import ConfigurationError

EPILOG = """SUBJECT and MATERIAL are a path, <alg>:<hex> for what was hashed elsewhere, or one of these after
NAME=. A material may also be a URI that nobody hashed: it will show as a gap. A folder is its dirHash."""


@click.command(epilog=EPILOG)
@click.option(
    "--subject", "subjects", required=True, multiple=True, help="What the statement is about. Repeatable."
)
@click.option("--material", "materials", multiple=True, help="What it was made from. Repeatable.")
@click.option("--predicate-type", required=True, metavar="URI", help="What kind of statement this is.")
@click.option(
    "--predicate",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="JSON file; - is stdin.",
)
@click.option("--key", required=True, type=click.Path(path_type=Path), help="Private key that signs (PEM).")
@click.option("--url", envvar="LINEAGE_URL", help="Server to send to.  [env: LINEAGE_URL]")
@click.option("--token", envvar="LINEAGE_TOKEN", help="API key with the scope attest.  [env: LINEAGE_TOKEN]")
@click.option("--out", type=click.Path(path_type=Path), help="Write the signed envelope here.")
@click.option(
    "--wait",
    type=click.Choice(get_args(Wait)),
    help="Return once the graph, or a checkpoint, has it.",
)
@json_option
def command(
    subjects: Sequence[str],
    materials: Sequence[str],
    predicate_type: str,
    predicate: Path,
    key: Path,
    url: str | None,
    token: str | None,
    out: Path | None,
    wait: Wait | None,
    as_json: bool,
) -> None:
    """Sign a statement about files, and send it.

    Without a server to send to, the envelope goes to --out, or to stdout.
    """
    client = _client(url, token)
    with progress("hashing") as advance:
        envelope = attest(
            key=read_private_key(key),
            subjects=subjects,
            materials=materials,
            predicate_type=predicate_type,
            predicate=parse_predicate(_read(predicate)),
            progress=advance,
        )
    if out is not None:
        _write(out, envelope)
        say(f"Signed envelope: {out}")
    if client is not None:
        receipt = client.send(
            envelope, wait="projected" if wait == "projected" else "published" if wait else None
        )
        show(as_json, msgspec.to_builtins(receipt), _told(receipt))
    elif out is None:
        click.echo(envelope.decode())
    elif as_json:
        show(True, {"out": str(out)}, "")


def _client(url: str | None, token: str | None) -> Client | None:
    """The server to send to, judged before anything is hashed."""
    if not url:
        return None
    if not token:
        raise click.UsageError("Sending needs an API key: give --token, or set LINEAGE_TOKEN.")
    return Client(url, token)


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The predicate {path} can't be read: {error.strerror}.") from error


def _write(path: Path, envelope: bytes) -> None:
    try:
        path.write_bytes(envelope + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error


def _told(receipt: Receipt) -> list[str]:
    signers = ", ".join(signer.name or signer.key_id for signer in receipt.signers)
    return [f"entry {receipt.index} ({receipt.state}, {receipt.trust} by {signers})", receipt.digest]
