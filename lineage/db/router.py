"""Which tables migrations make: on SQLite not those of the graph, which `db.sqlite.graph_file` makes."""

from __future__ import annotations

from typing import Any

from django.db import connections


class Router:
    def allow_migrate(self, db: str, app_label: str, model: Any = None, **_hints: Any) -> bool | None:
        graphs = model is not None and model._meta.db_table.startswith("graph_")
        return False if graphs and connections[db].vendor == "sqlite" else None
