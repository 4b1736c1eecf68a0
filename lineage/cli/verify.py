"""`lineage verify`: judge signed files offline, by keys that the caller names. No database, no network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.moments import moment
from lineage.cli.output import json_option, progress, show
from lineage.client import describe, read_public_key
from lineage.errors import ConfigurationError, LineageError
from lineage.trust.keys import PublicKey
from lineage.trust.verify import Outcome, Verdict, verify_file_envelope

_EXITS = {Outcome.VERIFIED: 0, Outcome.REFUTED: EXIT_REFUTED, Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE}

_NOT_HERE: tuple[tuple[bytes, str], ...] = (
    (b"application/vnd.dev.sigstore.bundle", "a Sigstore bundle"),
    (b"c2sp.org/tlog-proof@", "a tlog-proof"),
)
"""What a file may be, by words in it, that is well-formed but can't be judged here: not the same as wrong."""


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--artifact", type=click.Path(path_type=Path, exists=True), help="File or folder that must be a subject."
)
@click.option(
    "--key", "keys", multiple=True, type=click.Path(path_type=Path), help="Public key (PEM). Repeatable."
)
@click.option("--at", type=moment, help="The moment to judge at (default: now).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    files: Sequence[Path],
    artifact: Path | None,
    keys: Sequence[Path],
    at: int | None,
    as_json: bool,
) -> None:
    """Verify DSSE envelopes by the given keys.

    Exit 0: all verified; 1: one refuted; 2: one could not be checked, and none is refuted; 3: wrong usage.
    """
    known = [read_public_key(key) for key in keys]
    at_us = time.time_ns() // 1000 if at is None else at
    verdicts = _judge(files, known, artifact, at_us)
    value = [
        {"file": str(file), "outcome": v.outcome.value, "reasons": list(v.reasons), "facts": dict(v.facts)}
        for file, v in verdicts.items()
    ]
    show(as_json, value, [line for file, verdict in verdicts.items() for line in _told(file, verdict)])
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    for outcome in (Outcome.REFUTED, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            ctx.exit(_EXITS[outcome])


def _judge(
    files: Sequence[Path], keys: Sequence[PublicKey], artifact: Path | None, at_us: int
) -> dict[Path, Verdict]:
    digests: Mapping[str, str] | None = None
    if artifact is not None:
        try:
            with progress("hashing") as advance:
                digests = describe(artifact, advance).digests
        except LineageError as error:
            return dict.fromkeys(files, Verdict(Outcome.INCONCLUSIVE, (sentence(error),)))
    return {file: _verdict(file, keys, digests, at_us) for file in files}


def _verdict(
    file: Path, keys: Sequence[PublicKey], artifact: Mapping[str, str] | None, at_us: int
) -> Verdict:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}.") from error
    for mark, what in _NOT_HERE:
        if mark in content[:4096]:
            return Verdict(Outcome.INCONCLUSIVE, (f"This is {what}, which this version can't judge.",))
    return verify_file_envelope(content, keys, artifact, at_us)


def _told(file: Path, verdict: Verdict) -> list[str]:
    return [f"{file}: {verdict.outcome.value}", *(f"  {reason}" for reason in verdict.reasons)]
