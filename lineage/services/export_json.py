"""A closure as our own JSON: everything that an export holds, in the words of the REST interface."""

from __future__ import annotations

from collections.abc import Iterator

from lineage.services.export_records import Export, ExportFormat
from lineage.services.json_pieces import pieces

_LISTS = ("nodes", "edges", "gaps", "files")


def write(export: Export) -> Iterator[bytes]:
    members = {name: getattr(export, name) for name in Export.__struct_fields__ if name not in _LISTS}
    return pieces(members, {name: getattr(export, name) for name in _LISTS})


FORMAT = ExportFormat("json", "JSON", "application/json", "json", write)
