"""`lineage export`: a model's lineage as a file, in our words or in those of a standard."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from lineage.cli import server
from lineage.cli.exits import sentence
from lineage.cli.output import amount, say
from lineage.errors import ConflictError, MalformedError, UnavailableError

FORMATS = ("json", "csv", "prov-json", "cyclonedx", "spdx")
"""As `services.exports` has them, known without loading Django."""


@click.command()
@click.argument("key")
@click.option("--format", "name", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("--as-of", metavar="MOMENT", help="A tree size, a date or a time: what was believed then.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file that is not there yet."
)
def command(key: str, name: str, as_of: str | None, output: Path | None) -> None:
    """The node KEY and everything that it was made from, with statuses, gaps and who said what.

    KEY is a node key, such as `sha256:…` or `dirHash:…`. Without --output the file goes to standard output.
    The same tree size as MOMENT gives the same bytes. Exit code 0: it is written. 1: it is not (KEY is
    unknown at that moment, the file is there already, there is too much). 3: wrong arguments.
    """
    if output is not None and os.path.lexists(output):
        raise _there(output)
    with server.database():
        from lineage.services import as_of as moments
        from lineage.services import exports, follow

        try:
            moment = moments.resolve(as_of)
            if moment.live:
                follow.project()
                moment = moments.resolve(as_of)
        except MalformedError as error:
            raise click.UsageError(sentence(error)) from error
        format_ = exports.find(name)
        export = exports.gather(key, moment)
        size = _written(output, format_.write(export))
    where = "" if output is None else f" to {output}"
    behind = f" The graph had followed {export.graph_at} of them." if export.graph_at < moment.size else ""
    say(
        f"Wrote {len(export.nodes)} nodes and {len(export.edges)} edges{where}, {amount(size)}, as believed "
        f"with {export.tree_size} entries of the log {export.log} at {export.at}.{behind}"
    )


def _written(output: Path | None, pieces: Iterable[bytes]) -> int:
    """Bytes that were written. A file is there whole or not at all, and never in another's place.

    Raises: ConflictError where there is such a file; UnavailableError where it can't be written.
    """
    if output is None:
        return sum(map(sys.stdout.buffer.write, pieces))
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            size = sum(map(file.write, pieces))
            file.flush()
            os.fsync(file.fileno())
        os.link(part, output)
    except FileExistsError as error:
        raise _there(output) from error
    except OSError as error:
        raise UnavailableError(f"{output} can't be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return size


def _there(output: Path) -> ConflictError:
    return ConflictError(f"{output} is there already.", hint="Name another file: nothing is overwritten.")
