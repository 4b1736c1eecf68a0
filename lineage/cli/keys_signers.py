"""`lineage keys …` beyond plain keys: a key that replaces another, identities, and the roots behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import click
import msgspec

from lineage.cli import server
from lineage.cli.moments import moment, shown
from lineage.cli.output import json_option, say, show, table
from lineage.client import read_private_key, read_public_key
from lineage.errors import ConfigurationError
from lineage.trust.policy import Scopes
from lineage.trust.roots import RootKind

MAX_ROOT_BYTES = 1 << 20


@click.command()
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The old private key (PEM).")
@click.option("--new-public-key", required=True, type=click.Path(path_type=Path), help="PEM or DER file.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the endorsement goes.")
@json_option
def endorse(key: Path, new_public_key: Path, out: Path, as_json: bool) -> None:
    """Let an old key vouch for its successor. Needs no server; the private key stays where it is."""
    from lineage.trust import endorsement

    old, new = read_private_key(key), read_public_key(new_public_key)
    try:
        out.write_bytes(endorsement.build(old, new))
    except OSError as error:
        raise ConfigurationError(f"{out} can't be written: {error.strerror}.") from error
    say("Give it to an operator, with the new public key: lineage keys rotate, or the key's page.")
    value = {"old_key_id": old.public.key_id, "new_key_id": new.key_id, "endorsement": str(out)}
    show(as_json, value, f"{old.public.key_id} vouches for {new.key_id} in {out}.")


@click.command()
@click.argument("old_key_id")
@click.option("--public-key", required=True, type=click.Path(path_type=Path), help="The new one (PEM, DER).")
@click.option("--endorsement", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="What the new key is called; default: as the old one.")
@click.option("--old-not-after", type=moment, help="When the old key ends; default: in a week.")
@json_option
def rotate(
    old_key_id: str, public_key: Path, endorsement: Path, name: str, old_not_after: int | None, as_json: bool
) -> None:
    """Replace a key by one that it vouches for (lineage keys endorse). Appends a signed entry."""
    key = read_public_key(public_key)
    with server.log_ready():
        from lineage.services import decide_signers

        done = decide_signers.rotate_key(
            old_key_id,
            key.spki,
            _content(endorsement),
            person=server.person(),
            name=name,
            old_not_after_us=old_not_after,
        )
    value = {"key_id": key.key_id, "replaces": old_key_id, "entry": msgspec.to_builtins(done.receipt)}
    show(as_json, value, f"{key.key_id} replaces {old_key_id} from entry {done.receipt.index} on.")


@click.command("register-identity")
@click.option("--name", required=True, help="What it is called on pages.")
@click.option("--root", required=True, help="Id of an adopted root (lineage keys roots).")
@click.option("--issuer", default="", help="OIDC issuer; leave it out for an X.509 root.")
@click.option("--subject", required=True, help="Name in the certificate; * stands for any text.")
@click.option("--any", "anything", is_flag=True, help="It may say anything.")
@click.option("--predicate-type", "predicate_types", multiple=True, metavar="URI", help="Repeatable.")
@click.option("--builder", "builders", multiple=True, metavar="ID", help="It may speak for it. Repeatable.")
@click.option("--subject-name", "names", multiple=True, metavar="GLOB", help="Only such names. Repeatable.")
@click.option("--kind", "kinds", multiple=True, help="Only such kinds of nodes or roles. Repeatable.")
@click.option("--not-before", type=moment, help="In force from this time on.")
@click.option("--not-after", type=moment, help="In force up to this time.")
@json_option
def register_identity(
    name: str,
    root: str,
    issuer: str,
    subject: str,
    anything: bool,
    predicate_types: Sequence[str],
    builders: Sequence[str],
    names: Sequence[str],
    kinds: Sequence[str],
    not_before: int | None,
    not_after: int | None,
    as_json: bool,
) -> None:
    """Let whoever holds a certificate for a subject sign. Appends a signed entry."""
    limits = (predicate_types, builders, names, kinds)
    if anything == any(limits):
        raise click.UsageError("Say what it may say: either --any, or --predicate-type and its limits.")
    with server.log_ready():
        from lineage.services import decide_signers

        done = decide_signers.register_identity(
            issuer,
            subject,
            root,
            name,
            Scopes(anything, *(tuple(limit) for limit in limits)),
            person=server.person(),
            not_before_us=not_before,
            not_after_us=not_after,
        )
    signer = f"identity:{done.receipt.subjects[0].digest['sha256']}"
    say(f"Registered as {name} in entry {done.receipt.index}.")
    show(as_json, {"key_id": signer, "entry": msgspec.to_builtins(done.receipt)}, signer)


@click.command("adopt-root")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--kind", required=True, type=click.Choice(("sigstore", "x509", "timestamp")))
@click.option("--name", required=True, help="What it is called on pages.")
@json_option
def adopt_root(file: Path, kind: str, name: str, as_json: bool) -> None:
    """Adopt a trusted_root.json, or PEM certificates of authorities. Appends a signed entry."""
    with server.log_ready():
        from lineage.services import decide_signers

        done = decide_signers.adopt_root(_content(file), cast("RootKind", kind), name, person=server.person())
    root_id = done.receipt.subjects[0].digest["sha256"]
    say(f"Adopted as {name} in entry {done.receipt.index}. It lets nobody sign by itself.")
    show(as_json, {"root_id": root_id, "entry": msgspec.to_builtins(done.receipt)}, root_id)


@click.command("revoke-root")
@click.argument("root_id")
@click.option("--from", "from_us", required=True, type=moment, help="Not believed from this time on.")
@click.option("--reason", required=True, help="Why; shown wherever the root is.")
@click.option("--compromised", is_flag=True, help="Somebody else may have used it.")
@json_option
def revoke_root(root_id: str, from_us: int, reason: str, compromised: bool, as_json: bool) -> None:
    """Revoke a root: its identities are no longer believed from then on. Appends a signed entry."""
    with server.log_ready():
        from lineage.services import decide_signers

        done = decide_signers.revoke_root(
            root_id, from_us, reason, person=server.person(), compromised=compromised
        )
    value = {"root_id": root_id, "entry": msgspec.to_builtins(done.receipt)}
    show(as_json, value, f"Revoked from {shown(from_us)} in entry {done.receipt.index}.")


@click.command()
@json_option
def roots(as_json: bool) -> None:
    """Every adopted root, newest first."""
    with server.log_ready():
        from lineage.services import as_of, key_records

        now = as_of.resolve(None)
        records = key_records.list_roots(replace(now, size=now.head))
    rows = [
        (r.root_id, "revoked" if r.revocations else "in-force", r.kind, r.name, str(r.identities))
        for r in records
    ]
    value = {"roots": msgspec.to_builtins(records)}
    show(as_json, value, table(("ROOT ID", "STATE", "KIND", "NAME", "IDENTITIES"), rows))


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}.") from error
    if len(content) > MAX_ROOT_BYTES:
        raise ConfigurationError(f"{file} is larger than {MAX_ROOT_BYTES:,} bytes.")
    return content


COMMANDS = (endorse, rotate, register_identity, adopt_root, revoke_root, roots)
