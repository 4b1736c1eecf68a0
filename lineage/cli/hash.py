"""`lineage hash`: the digests that the platform would record, and checking files against a manifest."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lineage.artifacts import manifests
from lineage.artifacts.hashing import FolderDigest, hash_file, hash_folder, manifest
from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.output import amount, json_option, progress, say, show
from lineage.errors import ConfigurationError, LineageError


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "file", "folder"]),
    default="auto",
    help="What PATH must be; auto takes it as it is.",
)
@click.option(
    "--manifest", "target", type=click.Path(path_type=Path), help="Write a folder's files as sha256sum does."
)
@click.option(
    "--check", type=click.Path(path_type=Path), help="Compare with sha256sum's output or this --json."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, path: Path, form: str, target: Path | None, check: Path | None, as_json: bool
) -> None:
    """The digest of a file (sha256) or folder (dirHash).

    A folder's dirHash is the SHA-256 of its manifest. With --check: exit 0 same, 1 different, 2 could not
    be checked.
    """
    if form != "auto" and (form == "folder") != path.is_dir():
        raise click.UsageError(f"{path} is not a {form}.")
    if check is None:
        found = _hashed(path)
        _write(target, found, path)
        show(as_json, manifests.to_json(path, found), _text(found))
        return
    try:
        expected = manifests.read(check)
        found = _hashed(path)
        differences = manifests.compare(expected, found, os.fsencode(path.name))
    except LineageError as error:
        say(f"lineage: could not be checked: {sentence(error)}")
        ctx.exit(EXIT_INCONCLUSIVE)
    _write(target, found, path)
    value = {"outcome": "refuted" if differences else "verified", "differences": differences}
    show(as_json, manifests.to_json(path, found) | value, differences or "same")
    if differences:
        ctx.exit(EXIT_REFUTED)


def _hashed(path: Path) -> FolderDigest | str:
    if path.is_dir():
        with progress("hashing") as advance:
            return hash_folder(path, advance)
    with progress("hashing", path.stat().st_size) as advance:
        return hash_file(path, advance)


def _text(found: FolderDigest | str) -> str:
    if isinstance(found, str):
        return f"sha256:{found}"
    return f"dirHash:{found.dirhash}  ({len(found.files)} files, {amount(found.size)})"


def _write(target: Path | None, found: FolderDigest | str, path: Path) -> None:
    if target is None:
        return
    content = f"{found}  {path.name}\n".encode() if isinstance(found, str) else manifest(found.files)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{target} can't be written: {error.strerror}.") from error
