"""`lineage hash`: the digests that the platform would record, and checking files against a manifest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lineage.artifacts import expectations, manifests
from lineage.artifacts.formats import FORMATS, Description, Format, by_name, gguf_manifest
from lineage.artifacts.formats.base import label
from lineage.artifacts.hashing import manifest
from lineage.artifacts.looking import Looked, look
from lineage.artifacts.reading import LocalBytes
from lineage.artifacts.signed_folder import build
from lineage.artifacts.signed_manifest import Serialization, SignedManifest, to_payload
from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.output import amount, json_option, progress, say, show, table
from lineage.errors import ConfigurationError, LineageError

SHOWN_PARTS = 20
MODEL_SIGNING = "model-signing"
_KINDS = ("file", "folder")


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *_KINDS, *(form.name for form in FORMATS), MODEL_SIGNING]),
    default="auto",
    help="What PATH must be; auto looks into files whose format it knows, file and folder into none.",
)
@click.option(
    "--manifest",
    "target",
    type=click.Path(path_type=Path),
    help="Write a manifest: as sha256sum does; with --format gguf as llama.cpp's gguf-hash does; with "
    "--format model-signing the statement that model_signing signs.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    help="Compare with sha256sum's output, this --json, llama.cpp's manifest, or a model.sig (whose "
    "signature is not looked at).",
)
@click.option("--ignore", multiple=True, metavar="NAME", help="Left out with model-signing; may be repeated.")
@click.option(
    "--shard-size", type=click.IntRange(min=1), metavar="BYTES", help="With model-signing: shards, not files."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    form: str,
    target: Path | None,
    check: Path | None,
    ignore: tuple[str, ...],
    shard_size: int | None,
    as_json: bool,
) -> None:
    """The digests of a file (sha256, blake3) or folder (dirHash), and what is in it.

    A folder's dirHash is the SHA-256 of its manifest. Of model files and tables also the digests of their
    metadata, tensors and so on; of pickles, whether loading them is unsafe. With --check: exit 0 same, 1
    different, 2 could not be checked.
    """
    _fitting(path, form, ignore, shard_size)
    if check is not None:
        _check(ctx, path, form, target, check, ignore, as_json)
    elif form == MODEL_SIGNING:
        made = _signed(path, target, ignore, shard_size)
        _write(target, (json.dumps(to_payload(made), indent=2) + "\n").encode())
        show(as_json, to_payload(made), f"{MODEL_SIGNING}:{made.root}  ({len(made.resources)} resources)")
    else:
        found = _looked(path, form)
        _write_manifest(target, found, path, form)
        _warn(found)
        show(as_json, manifests.to_json(path, found), _text(found))


def _fitting(path: Path, form: str, ignore: tuple[str, ...], shard_size: int | None) -> None:
    """Raises: click.UsageError where the options contradict what is there, or each other."""
    if form == "folder" and not path.is_dir():
        raise click.UsageError(f"{path} is not a folder.")
    if form not in {"auto", "folder", MODEL_SIGNING} and path.is_dir():
        raise click.UsageError(f"{path} is not a file.")
    if shard_size is not None and form != MODEL_SIGNING:
        raise click.UsageError("--shard-size is for --format model-signing.")


def _check(
    ctx: click.Context,
    path: Path,
    form: str,
    target: Path | None,
    check: Path,
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    seen: list[Looked] = []

    def looked() -> Looked:
        if not seen:
            seen.append(_looked(path, form))
        return seen[0]

    try:
        expected = expectations.read(check)
        with progress("checking") as advance:
            differences = list(expected.differences(path, looked, ignore, advance))
        if target is not None:
            _write_manifest(target, looked(), path, form)
    except LineageError as error:
        if isinstance(error, ConfigurationError):
            raise
        say(f"lineage: could not be checked: {sentence(error)}")
        ctx.exit(EXIT_INCONCLUSIVE)
    if expected.note:
        say(f"lineage: {expected.note}")
    for found in seen:
        _warn(found)
    value = {"outcome": "refuted" if differences else "verified", "differences": differences}
    told = manifests.to_json(path, seen[0]) if seen else {"path": manifests.shown(os.fsencode(path.name))}
    show(as_json, told | value, differences or "same")
    if differences:
        ctx.exit(EXIT_REFUTED)


def _looked(path: Path, form: str) -> Looked:
    total = 0 if path.is_dir() else path.stat().st_size
    with progress("hashing", total) as advance:
        return look(path, by_name(form), form not in _KINDS, advance)


def _signed(
    path: Path, target: Path | None, ignore: tuple[str, ...], shard_size: int | None
) -> SignedManifest:
    own = expectations.within(path, target) if target is not None else ""
    left_out = (*ignore, *([own] if own else []))
    how = Serialization(ignore=left_out)
    if shard_size is not None:
        how = Serialization("shards", shard_bytes=shard_size, ignore=left_out)
    with progress("hashing") as advance:
        return build(os.fsencode(path), how, advance)


def _warn(found: Looked) -> None:
    """What is unsafe, and what could not be looked into, a line each to stderr."""
    for path, description in found.descriptions.items():
        for why in description.unsafe:
            say(f"lineage: warning: loading {_name(path)} is unsafe: {why}")
    for path, words in found.problems.items():
        say(f"lineage: {_name(path)} is {words}")


def _name(path: bytes) -> str:
    return label(manifests.shown(path))


def _text(found: Looked) -> Iterator[str]:
    if found.folder is not None:
        yield f"dirHash:{found.folder.dirhash}  ({len(found.files)} files, {amount(found.folder.size)})"
        told = list(found.descriptions.items())
        yield from (f"{_name(path)}: {_facts(description)}" for path, description in told[:SHOWN_PARTS])
        if len(told) > SHOWN_PARTS:
            yield f"and {len(told) - SHOWN_PARTS:,} more files of a known format"
        return
    yield f"sha256:{found.files[0].sha256}"
    if found.blake3:
        yield f"blake3:{found.blake3}"
    for description in found.descriptions.values():
        yield _facts(description)
        yield from (f"{name}:{digest}" for name, digest in description.digests.items())
        if sys.stdout.isatty():
            yield from _parts(description)


def _facts(description: Description) -> str:
    form = by_name(description.format)
    facts = "; ".join(f"{name} {value}" for name, value in description.facts.items())
    return f"{form.title if isinstance(form, Format) else description.format}: {facts}"


def _parts(description: Description) -> Iterator[str]:
    """The first parts as a table; --json has all."""
    shown = description.parts[:SHOWN_PARTS]
    if shown:
        rows = [(part.kind, label(part.name), part.detail, part.digest[:16] + "…") for part in shown]
        yield from table(("kind", "name", "detail", "sha256"), rows)
    if len(description.parts) > len(shown):
        yield f"and {len(description.parts) - len(shown):,} more; --json has all"


def _write_manifest(target: Path | None, found: Looked, path: Path, form: str) -> None:
    if target is None:
        return
    if form == "gguf":
        source = LocalBytes(os.fsencode(path))
        try:
            _write(target, gguf_manifest.write(source, path.name))
        finally:
            source.close()
    elif found.folder is None:
        _write(target, found.files[0].sha256.encode() + b"  " + os.fsencode(path.name) + b"\n")
    else:
        _write(target, manifest(found.files))


def _write(target: Path | None, content: bytes) -> None:
    if target is None:
        return
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{target} can't be written: {error.strerror}.") from error
