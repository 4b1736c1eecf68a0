"""`lineage keys`, the platform's own: prepare, rotate-platform, root, replacement (offline), replace."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import msgspec

from lineage.cli import server
from lineage.cli.durations import duration
from lineage.cli.moments import moment, shown
from lineage.cli.output import json_option, say, show
from lineage.client import read_private_key, read_public_key
from lineage.errors import ConfigurationError, ConflictError, MalformedError
from lineage.trust import dsse, platform_decisions
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.platform_decisions import OwnRole, Replacement
from lineage.trust.policy import Registration, Scopes

_OWN = ("log", "platform", "collector", "reverifier")
_REPLACED = (*_OWN, "root")
_FILE = click.Path(path_type=Path)
_BEGIN = b"-----BEGIN"
MAX_FILE = 1 << 20


@click.command()
@click.argument("role", type=click.Choice(_OWN))
@click.option("--out", required=True, type=_FILE, help="Public key, with what it is for; must not exist yet.")
@click.option("--replaces", default="", help="Key id; the one that holds the role where not given.")
@json_option
def prepare(role: OwnRole, out: Path, replaces: str, as_json: bool) -> None:
    """Make the next key of the platform for ROLE, without using it: the offline root is to sign for it.

    The private half stays where the platform keeps its keys. Called again it gives the same key.
    """
    with server.database():
        from lineage.db.models import LogHead
        from lineage.services import keyring, own_keys

        key = own_keys.make_next(role).public
        origin = LogHead.objects.values_list("origin", flat=True).get(pk=1)
        old = keyring.current().holder(role)
    old_id = replaces or (old.key_id if old else "")
    head = f"origin: {origin}\nrole: {role}\nreplaces: {old_id}\n"
    _write_new(out, head.encode() + key.pem())
    say(
        f"Next {role} key: {key.key_id}. Carry {out} to the machine with the root, and compare this id there."
    )
    value = {"key_id": key.key_id, "public": str(out), "origin": origin, "replaces": old_id}
    show(as_json, value, key.key_id)


@click.command("rotate-platform")
@click.argument("role", type=click.Choice(_OWN))
@click.option(
    "--overlap",
    default="30d",
    type=duration,
    help="ROLE log: how long the old key signs beside the new (30d).",
)
@json_option
def rotate_platform(role: OwnRole, overlap: timedelta, as_json: bool) -> None:
    """Give ROLE to a new key of the platform. What the old one signed stays believed. Appends a signed entry.

    Not for a stolen key: whoever has it could do the same. Then: lineage keys replacement.
    """
    with server.database():
        from lineage.services import own_keys, publish

        overlap_us = overlap // timedelta(microseconds=1)
        done = own_keys.rotate(role, person=server.person(), overlap_us=overlap_us).receipt
        verifier = publish.verifier_key() if role == "log" else ""
    new = done.subjects[0].digest["sha256"]
    value = {"key_id": new, "entry": msgspec.to_builtins(done)}
    say(f"The {role} key is {new} from entry {done.index} on.")
    if verifier:
        value["verifier_key"] = verifier
        say(f"Tell whoever verifies checkpoints: {verifier}")
    show(as_json, value, new)


@click.command()
@click.option("--public-key", required=True, type=_FILE, help="PEM or DER file; the private half stays away.")
@click.option("--name", default="offline root", help="What the key is called on pages.")
@json_option
def root(public_key: Path, name: str, as_json: bool) -> None:
    """Register the offline root, which alone replaces a stolen key of the platform. Appends a signed entry.

    Once there is one, only itself can replace it.
    """
    key = read_public_key(public_key)
    with server.log_ready():
        from lineage.services import own_keys

        done = own_keys.register_root(key.spki, name, person=server.person()).receipt
    say(f"Registered as the offline root in entry {done.index}.")
    show(as_json, {"key_id": key.key_id, "entry": msgspec.to_builtins(done)}, key.key_id)


@click.command()
@click.option("--role", required=True, type=click.Choice(_REPLACED))
@click.option(
    "--new-public-key", "new_file", required=True, type=_FILE, help="From lineage keys prepare, or bare PEM."
)
@click.option("--root-key", required=True, type=_FILE, help="The offline root's private key.")
@click.option("--out", required=True, type=_FILE, help="The signed replacement; must not exist yet.")
@click.option(
    "--from", "from_us", required=True, type=moment, help="Since when the old key is not to be believed."
)
@click.option("--reason", required=True, help="Why; shown wherever the old key is.")
@click.option("--origin", default="", help="The log's origin, where the file of the new key doesn't say it.")
@click.option("--old-key", default="", help="Id of the key to replace, where the file doesn't say it.")
@click.option("--person", default="", help="Who decides this; os:<login> where not given.")
@click.option("--lost", is_flag=True, help="Nobody else has the old key: it is lost, or at its planned end.")
@json_option
def replacement(
    role: str,
    new_file: Path,
    root_key: Path,
    out: Path,
    from_us: int,
    reason: str,
    origin: str,
    old_key: str,
    person: str,
    lost: bool,
    as_json: bool,
) -> None:
    """Sign with the offline root that a key of the platform is replaced. Needs no server and no network."""
    said, key = _read_prepared(new_file)
    what = Replacement(
        origin=_agreed("origin", origin, said.get("origin", "")),
        role=_agreed("role", role, said.get("role", "")),  # type: ignore[arg-type]  # a Choice
        old_key_id=_agreed("replaces", old_key, said.get("replaces", "")),
        from_us=from_us,
        reason=reason,
        compromised=not lost,
        new=_registration(key, role, from_us),
    )
    payload = platform_decisions.build_replace(person or server.person(), moment("now"), what)
    signer = read_private_key(root_key)
    _write_new(out, dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, signer))
    value = {
        "file": str(out),
        "origin": what.origin,
        "role": role,
        "replaces": what.old_key_id,
        "key_id": key.key_id,
        "from": shown(from_us),
        "root": signer.public.key_id,
    }
    show(as_json, value, [f"{name:<9} {text}" for name, text in value.items()])


@click.command()
@click.argument("file", type=_FILE)
@json_option
def replace(file: Path, as_json: bool) -> None:
    """Replace a key of the platform, as the offline root has signed in FILE. Appends that very entry.

    Lists the decisions of the old platform key that are believed no longer: decide again what of them holds.
    """
    envelope = _read(file)
    with server.database():
        from lineage.services import own_keys

        done = own_keys.replace(envelope)
    what, receipt = done.what, done.submitted.receipt
    fallen = [
        {"index": each.index, "action": each.action, "person": each.person, "received_at": each.received_at}
        for each in done.fallen
    ]
    say(f"The {what.role} key is {what.new.key.key_id} from entry {receipt.index} on.")
    if fallen:
        say("Believed no longer; decide again what holds, revocations first:")
    lines = [f"{each['index']}  {each['received_at']}  {each['action']}  {each['person']}" for each in fallen]
    value = {"key_id": what.new.key.key_id, "entry": msgspec.to_builtins(receipt), "fallen": fallen}
    show(as_json, value, lines or what.new.key.key_id)


def _registration(key: PublicKey, role: str, from_us: int) -> Registration:
    # Its rights are those of the key that it replaces.
    name = f"{role} key since {shown(moment('now'))[:10]}"
    return Registration(key, name, Scopes(), None, None, -1, from_us, role)  # type: ignore[arg-type]  # a Choice


def _agreed(what: str, given: str, said: str) -> str:
    """What the option says, or the file; they must not differ. Raises: ConfigurationError."""
    if given and said and given != said:
        raise ConfigurationError(f"The new key's file says {what}: {said}, and you say {given}.")
    if not given and not said:
        option = {"replaces": "--old-key"}.get(what, f"--{what}")
        raise ConfigurationError(
            f"The new key's file does not say its {what}.", hint=f"Say it with {option}."
        )
    return given or said


def _read_prepared(path: Path) -> tuple[dict[str, str], PublicKey]:
    """The lines before the public key in a file of `lineage keys prepare`, and the key."""
    content = _read(path)
    start = content.find(_BEGIN)
    if start <= 0:
        return {}, read_public_key(path)
    try:
        lines = content[:start].decode("utf-8").splitlines()
        return dict([*line.split(": ", 1), ""][:2] for line in lines), load_public(content[start:])
    except (UnicodeDecodeError, MalformedError) as error:
        raise ConfigurationError(f"{path} is no file of `lineage keys prepare`: {error}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error


def _write_new(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists already, and is not overwritten.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error


COMMANDS = (prepare, rotate_platform, root, replacement, replace)
