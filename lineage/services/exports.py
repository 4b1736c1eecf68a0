"""Exports of one artifact's lineage: which formats there are.

Owns: the list. Does not own: what is in an export (`export_closure`) or how a format says it.
"""

from __future__ import annotations

from lineage.errors import MalformedError
from lineage.services import export_csv, export_cyclonedx, export_json, export_prov, export_spdx
from lineage.services.export_closure import gather
from lineage.services.export_records import Export, ExportFormat

__all__ = ["FORMATS", "Export", "ExportFormat", "file_name", "find", "gather"]

FORMATS: tuple[ExportFormat, ...] = (
    export_json.FORMAT,
    export_csv.FORMAT,
    export_prov.FORMAT,
    export_cyclonedx.FORMAT,
    export_spdx.FORMAT,
)


def find(name: str) -> ExportFormat:
    """Raises: MalformedError where there is no such format."""
    for format_ in FORMATS:
        if format_.name == name:
            return format_
    known = ", ".join(each.name for each in FORMATS)
    raise MalformedError(f"There is no format {name[:40]!r}; there are {known}.", where="format")


def file_name(export: Export, format_: ExportFormat) -> str:
    """Such as `lineage-3fa1b2c4d5e6-at-1200.cdx.json`: nothing in it is anybody's but ours."""
    return f"lineage-{export.root.partition(':')[2][:12]}-at-{export.tree_size}.{format_.suffix}"
