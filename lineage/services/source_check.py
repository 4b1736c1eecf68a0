"""Whether a source's server answers as it should, tried now. Records nothing."""

from __future__ import annotations

import time

import msgspec

from lineage.db.models import Source
from lineage.errors import LineageError
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection
from lineage.mlflow.errors import SourceError
from lineage.services import sources


class SourceCheck(msgspec.Struct, frozen=True):
    """What a try came to.

    Attributes:
        ok: the server is an MLflow that answers this source's credentials.
        version: MLflow's own, empty where it is not known.
        experiments: how many can be seen, deleted ones too; `more` where they are only the first page.
        problem: what kind of failure it is (`lineage.mlflow.errors.Trouble`, or `configuration`), else empty.
        reason: what is wrong, for people.
        ms: how long it took.
    """

    ok: bool
    version: str
    experiments: int
    more: bool
    problem: str
    reason: str
    ms: int


def check(source: Source) -> SourceCheck:
    """Connect, ask for the version, and list experiments."""
    began, version, seen, more = time.monotonic(), "", 0, False
    problem, reason = "", ""
    try:
        with Connection(sources.settings_of(source)) as connection:
            mlflow = Mlflow(connection)
            version = mlflow.version()
            pages = iter(mlflow.experiments())
            seen = len(next(pages, []))
            more = bool(next(pages, []))
    except LineageError as error:
        problem, reason = _slug(error), f"{error.message} {error.hint}".strip()
    ms = round((time.monotonic() - began) * 1000)
    return SourceCheck(not reason, version, seen, more, problem, reason, ms)


def _slug(error: LineageError) -> str:
    return error.trouble if isinstance(error, SourceError) else error.slug
