"""The web room as a Django app: pages, templates' tags, static files. No tables."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "lineage.web"
    label = "lineage_web"
    verbose_name = "Lineage pages"

    def ready(self) -> None:
        from lineage.web import sign_ins

        sign_ins.connect()
