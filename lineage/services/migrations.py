"""Which migrations of this version the database still lacks.

Owns: to say that it lacks none, as at nearly every start, without importing them all. Does not own: applying
them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def pending() -> list[str]:
    """Their names, `app.migration`, in the order in which they are to be applied.

    Raises: DatabaseError where the database can't be asked.
    """
    if MigrationRecorder(connection).applied_migrations().keys() >= set(_known()):
        return []
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _known() -> Iterator[tuple[str, str]]:
    """App and name of each that is installed, found as Django finds them."""
    for app in apps.get_app_configs():
        name, _ = MigrationLoader.migrations_module(app.label)
        if name is None:
            continue
        try:
            package = import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg and module.name[0] not in "_~":
                yield app.label, module.name
