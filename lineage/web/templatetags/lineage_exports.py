"""Tags for exports: `{% load lineage_exports %}`."""

from __future__ import annotations

from django import template

from lineage.services.exports import FORMATS, ExportFormat

register = template.Library()


@register.simple_tag
def export_formats() -> tuple[ExportFormat, ...]:
    """Every format that a lineage is exported in, in the order in which it is offered."""
    return FORMATS
