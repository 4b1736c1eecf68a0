"""A graph that is made anew, as after a change of rules or storages, for tests of who reads it meanwhile."""

from __future__ import annotations

from django.db import connection

from lineage.graph import sql
from lineage.services import project


def emptied(rules: str | None = None) -> None:
    """No entry is in it. `rules`: by which it is made then, if not by those of now."""
    with connection.cursor() as cursor:
        assert sql.reset(cursor, _state(), project.fingerprint() if rules is None else rules)


def replayed(entries: int) -> None:
    """The first so many entries are in it, and no other."""
    emptied()
    assert entries == 0 or project.project_pending(entries) == entries


def made_by_others() -> None:
    """All is in it, by other rules than those of now, and nobody has noticed."""
    with connection.cursor() as cursor:
        assert sql.relabel(cursor, _state(), "others")


def _state() -> sql.State:
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
    assert state is not None
    return state
