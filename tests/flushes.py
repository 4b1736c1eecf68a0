"""What emptying the database after a test leaves out, on both databases."""

from __future__ import annotations

from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate


def without_permissions() -> None:
    """Each flush would fill in the framework's own permissions again: 70 ms, and nobody asks for them."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
