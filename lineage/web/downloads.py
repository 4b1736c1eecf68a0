"""Tables as CSV files, pictures as SVG files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import HttpResponse, StreamingHttpResponse

from lineage.services.csv_cells import Echo, cell


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A UTF-8 CSV download called `<name>.csv`; `rows` are read while it is sent."""
    writer = csv.writer(Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(header)
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )


def svg_response(name: str, text: str) -> HttpResponse:
    """A download called `<name>.svg`. A file that somebody sends on: it may fetch and run nothing."""
    return HttpResponse(
        text,
        content_type="image/svg+xml; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.svg"',
            "Cache-Control": "no-store",
        },
    )
