"""`lineage gate`: may this be deployed? The exit code is the answer, and the reasons are said in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_INCONCLUSIVE, EXIT_REFUTED, sentence
from lineage.cli.output import json_option, say, show
from lineage.errors import ConfigurationError, LineageError, MalformedError

if TYPE_CHECKING:
    from lineage.services.gate import GateAnswer, GateReason

_CODES = {"open": 0, "closed": EXIT_REFUTED, "inconclusive": EXIT_INCONCLUSIVE}
_FIRST_LINES = {
    "open": "Open: {} may be deployed.",
    "closed": "Closed: {} may not be deployed.",
    "inconclusive": "Inconclusive: whether {} may be deployed could not be told, so it may not.",
}


@click.command()
@click.argument("key")
@click.option("--max-age", metavar="AGE", help="Each copy must have matched within this, such as 12h or 2d.")
@click.option("--accept-unchecked", is_flag=True, help="Let pass what has no copy here, on signatures alone.")
@json_option
def command(key: str, max_age: str | None, accept_unchecked: bool, as_json: bool) -> int:
    """Whether the artifact KEY is verified, untainted and fresh; for use before a deployment.

    KEY is a node key, `sha256:…` or `dirHash:…`. Exit code 0: it is. 1: it is not. 2: that could not be told
    (KEY is unknown, the graph is behind the log, the log is damaged, the database can't be reached). 3: wrong
    arguments.
    """
    try:
        with server.database():
            from lineage.services import follow, gate

            age = None if max_age is None else gate.seconds(max_age)
            follow.project()
            answer = gate.judge(key, max_age_seconds=age, accept_unchecked=accept_unchecked)
    except MalformedError as error:
        raise click.UsageError(sentence(error)) from error
    except ConfigurationError:
        raise
    except LineageError as error:
        said = sentence(error)
        say(f"lineage: {said}")
        show(as_json, {"key": key, "verdict": "inconclusive", "error": said}, _told(key, "inconclusive"))
        return EXIT_INCONCLUSIVE
    show(as_json, msgspec.to_builtins(answer), _lines(answer))
    return _CODES[answer.verdict]


def _told(what: str, verdict: str) -> str:
    return _FIRST_LINES[verdict].format(what)


def _lines(answer: GateAnswer) -> list[str]:
    name = answer.key if answer.name == answer.key else f"{answer.name} ({answer.key})"
    return [
        _told(name, answer.verdict),
        *_items("- ", answer.reasons),
        *_items("Note: ", answer.notes),
        f"It is {answer.status}; judged with {answer.tree_size} entries of the log at {answer.at}.",
    ]


def _items(mark: str, found: Sequence[GateReason]) -> Iterator[str]:
    for reason in found:
        yield f"{mark}{reason.sentence}"
        yield from (f"    {about}" for about in reason.about)
