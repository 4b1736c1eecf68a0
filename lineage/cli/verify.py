"""`lineage verify`: judge signed files offline, by what the caller gives. No database, no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.moments import moment
from lineage.cli.output import json_option, progress, show
from lineage.errors import ConfigurationError, LineageError

if TYPE_CHECKING:
    from lineage.trust.keys import PublicKey
    from lineage.trust.roots import Root
    from lineage.trust.verify import Verdict
    from lineage.trust.verify_file import Given

MAX_CONTENT = 64 << 20
"""Of an envelope that a proof is about."""
MAX_KEYS = 1 << 20
"""Of a file of verifier keys."""


def _named(ctx: click.Context, option: click.Parameter, value: str | None) -> str:
    """Not given asks for nobody in particular; a variable of a shell that is not set must not."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty, which would ask for nobody.", ctx, option)
    return value or ""


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--artifact",
    type=click.Path(path_type=Path, exists=True),
    help="File or folder that must be what was signed; of a tlog-proof the envelope.",
)
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path), help="Public key (PEM). Repeatable."
)
@click.option(
    "--trusted-root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sigstore trusted_root.json, or X.509 certificates of authorities (PEM). Repeatable.",
)
@click.option(
    "--timestamp-root",
    "stamps",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificates of timestamp authorities (PEM). Repeatable.",
)
@click.option(
    "--identity", callback=_named, help="Subject that the certificate must be for; * stands for any text."
)
@click.option("--issuer", callback=_named, help="OIDC issuer that a Sigstore certificate must name.")
@click.option(
    "--root", "log_keys", multiple=True, help="The log's verifier key, or a file with it. Repeatable."
)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    help="Verifier key of a witness that must have cosigned a proof's checkpoint, or a file. Repeatable.",
)
@click.option(
    "--witnesses",
    "quorum",
    type=click.IntRange(1, 100),
    help="How many of them must have (default: all).",
)
@click.option("--at", type=moment, help="The moment to judge at (default: now).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    files: Sequence[Path],
    artifact: Path | None,
    keys: Sequence[Path],
    roots: Sequence[Path],
    stamps: Sequence[Path],
    identity: str,
    issuer: str,
    log_keys: Sequence[str],
    witnesses: Sequence[str],
    quorum: int | None,
    at: int | None,
    as_json: bool,
) -> None:
    """Verify envelopes, Sigstore bundles, model signatures, links and tlog-proofs, offline.

    Exit 0: all verified; 1: one refuted; 2: one could not be checked, and none is refuted; 3: wrong usage.
    """
    # Imported here: whoever asks for help, or gives a wrong option, waits for no cryptography.
    from lineage.trust.verify import Outcome
    from lineage.trust.verify_file import Given

    if (identity or issuer) and (keys or not roots):
        raise click.UsageError("--identity and --issuer are judged by --trusted-root, and not beside --key.")
    given = Given(
        at_us=time.time_ns() // 1000 if at is None else at,
        keys=tuple(key for path in keys for key in _keys(path)),
        roots=(*(_root(path) for path in roots), *(_root(path, timestamps=True) for path in stamps)),
        identity=identity,
        issuer=issuer,
        log_keys=tuple(key for text in log_keys for key in _log_keys(text)),
        witnesses=tuple(key for text in witnesses for key in _witness_keys(text)),
        quorum=quorum or 0,
    )
    verdicts = _judge(files, given, artifact)
    value = [
        {"file": str(file), "outcome": v.outcome.value, "reasons": list(v.reasons), "facts": dict(v.facts)}
        for file, v in verdicts.items()
    ]
    show(as_json, value, [line for file, verdict in verdicts.items() for line in _told(file, verdict)])
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    for outcome, code in ((Outcome.REFUTED, EXIT_REFUTED), (Outcome.INCONCLUSIVE, EXIT_INCONCLUSIVE)):
        if outcome in outcomes:
            ctx.exit(code)


def _judge(files: Sequence[Path], given: Given, artifact: Path | None) -> dict[Path, Verdict]:
    """Files one by one. An artifact is hashed once, and only where a file asks for it."""
    digests: dict[str, str] = {}
    return {file: _verdict(file, given, artifact, digests) for file in files}


def _verdict(file: Path, given: Given, artifact: Path | None, digests: dict[str, str]) -> Verdict:
    from lineage.trust import tlog_proof
    from lineage.trust.verify import Outcome, Verdict
    from lineage.trust.verify_file import verify_file

    content = _content(file)
    if artifact is None:
        return verify_file(content, given)
    if tlog_proof.looks_like_one(content):
        return verify_file(content, replace(given, content=_content(artifact, MAX_CONTENT)))
    # A model's signature is compared file by file instead, once it is known to be good.
    first = verify_file(content, given)
    if first.facts.get("model_signature"):
        return _compared(content, first, artifact, file)
    try:
        if not digests:
            digests.update(_hashed(artifact))
    except LineageError as error:
        return Verdict(Outcome.INCONCLUSIVE, (sentence(error),))
    return verify_file(content, replace(given, artifact=digests))


def _hashed(artifact: Path) -> Mapping[str, str]:
    from lineage.client import describe

    with progress("hashing") as advance:
        return describe(artifact, advance).digests


def _compared(content: bytes, verdict: Verdict, artifact: Path, file: Path) -> Verdict:
    """The verdict on a model's signature and on the files that it names. Source: OpenSSF model signing."""
    from lineage.artifacts import signed_folder, signed_manifest
    from lineage.trust.opened import open_signed
    from lineage.trust.verify import Outcome, Verdict

    if verdict.outcome is Outcome.REFUTED:
        return verdict
    ignore = []
    if artifact.is_dir() and file.resolve().is_relative_to(artifact.resolve()):
        ignore.append(file.resolve().relative_to(artifact.resolve()).as_posix())
    try:
        # The very bytes that were verified: the file may hold another envelope beside them.
        manifest = signed_manifest.read(open_signed(content).envelope.payload)
        with progress("hashing") as advance:
            said = signed_folder.compare(manifest, bytes(artifact), tuple(ignore), advance)
    except LineageError as error:
        return Verdict(Outcome.INCONCLUSIVE, (*verdict.reasons, sentence(error)), verdict.facts)
    if said:
        return Verdict(Outcome.REFUTED, (*verdict.reasons, *said), verdict.facts)
    reason = f"All {len(manifest.resources):,} files or shards that were signed are as they were."
    return Verdict(verdict.outcome, (*verdict.reasons, reason), verdict.facts)


def _keys(path: Path) -> list[PublicKey]:
    """The key in a file. Of ECDSA both forms of signatures are taken: the caller names the key alone."""
    from lineage.client import read_public_key
    from lineage.trust.keys import load_public

    key = read_public_key(path)
    return [key, load_public(key.spki, "raw")] if key.algorithm.startswith("ecdsa-") else [key]


def _root(path: Path, *, timestamps: bool = False) -> Root:
    from lineage.trust import roots

    content = _content(path)
    pem = content.lstrip().startswith(b"-----BEGIN")
    try:
        return roots.load("timestamp" if timestamps else "x509" if pem else "sigstore", content)
    except LineageError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error


def _log_keys(text: str) -> list[str]:
    from lineage.trust import checkpoint

    return _verifier_keys("--root", text, checkpoint.parse_verifier_key)


def _witness_keys(text: str) -> list[str]:
    from lineage.trust import cosignature

    return _verifier_keys("--witness", text, cosignature.parse_witness_key)


def _verifier_keys(option: str, text: str, parse: Callable[[str], object]) -> list[str]:
    """A verifier key, or each in a file, one a line."""
    alone = "+" in text and not _is_there(text)
    lines = [text] if alone else _content(Path(text), MAX_KEYS).decode("utf-8", "replace").splitlines()
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise ConfigurationError(f"{option}: {text} holds no key.")
    for key in keys:
        try:
            parse(key)
        except LineageError as error:
            raise ConfigurationError(f"{option}: {error.message}") from error
    return keys


def _is_there(text: str) -> bool:
    """A key is longer than a file's name may be, which some systems call an error."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _content(file: Path, limit: int = 256 << 20) -> bytes:
    try:
        if file.stat().st_size > limit:
            raise ConfigurationError(f"{file} is larger than {limit:,} bytes.")
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}.") from error


def _told(file: Path, verdict: Verdict) -> list[str]:
    return [f"{file}: {verdict.outcome.value}", *(f"  {reason}" for reason in verdict.reasons)]
