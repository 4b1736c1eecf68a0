"""Migrations that are still to be applied: found without importing them, as the framework finds them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from lineage.services import migrations

pytestmark = pytest.mark.django_db


def planned() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def test_none_is_pending_where_all_are_applied() -> None:
    assert migrations.pending() == planned() == []
    known = list(migrations._known())
    assert len(known) == len(set(known))
    assert set(known) == MigrationExecutor(connection).loader.disk_migrations.keys()


def test_each_that_is_not_applied_is_pending() -> None:
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    assert ("lineage_db", "0001_initial") not in leaves
    for app, name in leaves:
        MigrationRecorder(connection).record_unapplied(app, name)
        assert f"{app}.{name}" in migrations.pending()
        assert migrations.pending() == planned()


def test_all_are_pending_in_an_empty_database() -> None:
    MigrationRecorder(connection).flush()
    assert migrations.pending() == planned()
    assert len(planned()) == len(set(migrations._known()))
