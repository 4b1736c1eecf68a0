"""The Django app of the tables."""

from django.apps import AppConfig


class DatabaseConfig(AppConfig):
    name = "lineage.db"
    label = "lineage_db"
    verbose_name = "Lineage"
    default_auto_field = "django.db.models.BigAutoField"
