"""`lineage verify-layout`: whether an artifact was made as a signed in-toto layout asks, offline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.moments import moment
from lineage.cli.output import json_option, progress, show
from lineage.client import describe, read_public_key
from lineage.errors import ConfigurationError, LineageError, MalformedError
from lineage.trust.keys import PublicKey
from lineage.trust.layouts import Evidence, Report, read_evidence, verify_layout
from lineage.trust.layouts_report import StepReport, to_json
from lineage.trust.verify import Outcome

EXITS = {Outcome.VERIFIED: 0, Outcome.REFUTED: EXIT_REFUTED, Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MARK = {"passed": "ok", "failed": "BROKEN", "not reached": "-"}


@click.command()
@click.argument("layout", type=_FILE)
@click.option("--link", "links", multiple=True, type=_FILE, help="A link or sublayout. Repeatable.")
@click.option("--key", "keys", multiple=True, type=_FILE, help="Public key (PEM) of an owner. Repeatable.")
@click.option(
    "--artifact", type=click.Path(path_type=Path, exists=True), help="File or folder that the last step made."
)
@click.option("--at", type=moment, help="The moment to judge at (default: now).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    layout: Path,
    links: Sequence[Path],
    keys: Sequence[Path],
    artifact: Path | None,
    at: int | None,
    as_json: bool,
) -> None:
    """Verify a signed in-toto layout with its links. Nothing is run, and nothing is asked of a network.

    Exit 0: verified; 1: refuted; 2: could not be checked; 3: wrong usage.
    """
    at_us = time.time_ns() // 1000 if at is None else at
    report = judge(layout, links, [read_public_key(key) for key in keys], artifact, at_us)
    show(as_json, {"file": str(layout), **to_json(report)}, told(layout, report))
    ctx.exit(EXITS[report.outcome])


def judge(
    layout: Path, links: Sequence[Path], owners: Sequence[PublicKey], artifact: Path | None, at_us: int
) -> Report:
    """The verdict on files. A link that can't be read is refuted, as it would count for nothing.

    Raises: ConfigurationError where a file can't be opened.
    """
    data = _bytes(layout)
    try:
        evidence = [_evidence(path) for path in links]
        digests = None
        if artifact is not None:
            with progress("hashing") as advance:
                digests = describe(artifact, advance).digests
    except MalformedError as error:
        return Report(Outcome.REFUTED, (sentence(error),), "")
    except ConfigurationError:
        raise
    except LineageError as error:
        return Report(Outcome.INCONCLUSIVE, (sentence(error),), "")
    return verify_layout(data, owners, evidence, digests, at_us)


def _evidence(path: Path) -> Evidence:
    step, _, keyid = path.name.removesuffix(".link").rpartition(".")
    try:
        return read_evidence(_bytes(path), path.name, step=step if len(keyid) == 8 else "")
    except MalformedError as error:
        raise MalformedError(f"{path.name}: {error.message}", where=error.where) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error


def told(layout: Path, report: Report) -> list[str]:
    """The report as lines for people."""
    return [
        f"{layout}: {report.outcome.value}",
        *(f"  {reason}" for reason in report.reasons),
        *(line for step in report.steps for line in _step(step, "  ")),
    ]


def _step(step: StepReport, indent: str) -> Iterator[str]:
    yield f"{indent}step {step.name}: {step.outcome.value}, {step.signers} of {step.threshold} signed"
    yield f"{indent}  {step.said}"
    for link in step.links:
        yield f"{indent}  {link.name}: {link.said}"
    for rule in (*step.materials, *step.products):
        yield f"{indent}  [{_MARK[rule.outcome]}] {rule.rule}: {rule.said}"
    for note in step.notes:
        yield f"{indent}  {note}"
    for below in step.sublayouts:
        yield f"{indent}  sublayout: {below.outcome.value}"
        for reason in below.reasons:
            yield f"{indent}    {reason}"
        for inner in below.steps:
            yield from _step(inner, indent + "    ")
