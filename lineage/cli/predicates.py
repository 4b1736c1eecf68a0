"""`lineage predicates …`: which statements become lineage, their schemas, and whether one is well said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import click

from lineage import predicates
from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.output import json_option, say, show, table
from lineage.errors import ConfigurationError, LineageError, MalformedError, TooLargeError
from lineage.predicates import validation
from lineage.predicates.validation import ATTESTATION, Problem, Report, Schema
from lineage.trust.opened import open_signed

MAX_BYTES = 8 << 20
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SLUG = click.Choice([each.slug for each in predicates.PREDICATES])


@click.group()
def command() -> None:
    """Predicate types: list them, show a schema or an example, validate a statement. Nothing is sent."""


@command.command("list")
@json_option
def listed(as_json: bool) -> None:
    """The types that become lineage. Any other that a key may sign is kept, and shown without lineage."""
    rows = [
        {"slug": each.slug, "title": each.title, "uris": list(each.uris), "summary": each.summary}
        for each in predicates.PREDICATES
    ]
    text = table(("NAME", "TYPE", "SAYS"), ((p.slug, p.uris[0], p.summary) for p in predicates.PREDICATES))
    show(as_json, rows, text)


@command.command("show")
@click.argument("slug", type=_SLUG)
@click.option("--example", is_flag=True, help="A whole statement instead of the schema.")
@json_option
def shown(slug: str, example: bool, as_json: bool) -> None:
    """The JSON Schema (2020-12) of the whole statement, or an example."""
    (found,) = (each for each in predicates.PREDICATES if each.slug == slug)
    name, folder = (found.example, "examples") if example else (found.schema, "schemas")
    if name is None:
        raise ConfigurationError(
            f"There is no {'example' if example else 'schema'} of {slug} here: others own the type.",
            hint=f"docs/predicates/{slug}.md says what is read of it.",
        )
    text = _packaged(folder, name)
    show(as_json, json.loads(text), text.splitlines())


@command.command()
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option(
    "--predicate-type",
    metavar="URI",
    help="FILES are predicates alone, of this type, and not whole statements. Subjects are not looked at.",
)
@json_option
@click.pass_context
def validate(ctx: click.Context, files: Sequence[Path], predicate_type: str | None, as_json: bool) -> None:
    """Look whether statements, or envelopes of such, say what their type asks for. Signatures don't matter.

    Exit 0: all are well said; 1: one is not; 2: the type of one is not known here; 3: wrong usage.
    """
    schemas = _Schemas()
    found = [_judged(path, predicate_type, schemas) for path in files]
    show(
        as_json, [_to_json(path, each) for path, each in zip(files, found, strict=True)], _lines(files, found)
    )
    if any(each.problems for each in found):
        ctx.exit(EXIT_REFUTED)
    if not all(each.slug for each in found):
        ctx.exit(EXIT_INCONCLUSIVE)


def _packaged(folder: str, name: str) -> str:
    return (resources.files("lineage.predicates") / folder / name).read_text(encoding="utf-8")


class _Schemas(Mapping[str, Schema]):
    """By slug; each is compiled when it is asked for: a file needs one, and the library takes long to load.

    None, which is said, where the library is not installed.
    """

    def __init__(self) -> None:
        self._files = {each.slug: each.schema for each in predicates.PREDICATES if each.schema}
        self._compiled: dict[str, Schema] = {}

    def __getitem__(self, slug: str) -> Schema:
        if slug not in self._compiled:
            self._compiled[slug] = self._made(self._files[slug], slug)
        return self._compiled[slug]

    def _made(self, file: str, slug: str) -> Schema:
        try:
            from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
        except ImportError:
            say("Schemas are not looked at: the package jsonschema is missing. The reader itself is asked.")
            self._files.clear()
            raise KeyError(slug) from None
        found: Schema = Draft202012Validator(json.loads(_packaged("schemas", file)))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _judged(path: Path, predicate_type: str | None, schemas: Mapping[str, Schema]) -> Report:
    """What is wrong with a file; one that is no statement is wrong as a whole."""
    data = _read(path)
    try:
        if predicate_type is not None:
            return validation.validate_predicate(data, predicate_type, schemas)
        payload_type, payload = _payload(data)
        return validation.validate(payload, payload_type, schemas)
    except (MalformedError, TooLargeError) as error:
        problem = Problem(error.where or "", error.message, "reader", error.hint or "")
        return Report(predicate_type or "", "", False, (problem,))


def _read(path: Path) -> bytes:
    """Raises: ConfigurationError where it can't be read; TooLargeError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"{path} has more than {MAX_BYTES:,} bytes, the limit.", limit=MAX_BYTES)
    return data


def _payload(data: bytes) -> tuple[str, bytes]:
    """Payload type and payload: of an envelope or a bundle, or of a statement that nobody signed yet.

    Raises: MalformedError, TooLargeError.
    """
    try:
        members: Any = json.loads(data)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise MalformedError(
            "This is no JSON object.",
            hint="Give a statement, an envelope, or a predicate with --predicate-type.",
        )
    if "payload" in members or "dsseEnvelope" in members:
        envelope = open_signed(data).envelope
        return envelope.payload_type, envelope.payload
    return ATTESTATION, data


def _to_json(path: Path, report: Report) -> dict[str, Any]:
    return {
        "file": str(path),
        "predicate_type": report.predicate_type,
        "type": report.slug or None,
        "schema": report.schema,
        "valid": not report.problems if report.slug or report.problems else None,
        "problems": [
            {"where": each.where, "message": each.words, "by": each.by, "hint": each.hint}
            for each in report.problems
        ],
    }


def _lines(files: Sequence[Path], found: Sequence[Report]) -> list[str]:
    lines = []
    for path, report in zip(files, found, strict=True):
        if report.problems:
            lines.append(f"{path}: not well said" + (f" as {report.slug}" if report.slug else ""))
            lines += [f"  {_sentence(each)}" for each in report.problems]
        elif report.slug:
            lines.append(
                f"{path}: ok, {report.slug}" + ("" if report.schema else " (read, without a schema)")
            )
        else:
            lines.append(
                f"{path}: the type {report.predicate_type} is not known here. A statement of it is kept and"
                " shown, and makes no lineage."
            )
    return lines


def _sentence(problem: Problem) -> str:
    error = LineageError(problem.words, where=problem.where, hint=problem.hint)
    return sentence(error)
