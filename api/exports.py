"""The lineage of one node as a file, in our words or in those of a standard."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from api.base import JSON_RANGES, Call
from api.nodes import KEY, node_key
from api.openapi import AS_OF, Parameter, describe
from api.query import Query
from lineage.services import exports
from lineage.services.exports import FORMATS, Export

NAMES = tuple(each.name for each in FORMATS)


class NodeExport(Call):
    produces = JSON_RANGES | {each.media_type for each in FORMATS}

    @describe(
        "nodes_export",
        "A node's lineage as a file",
        "The node and everything that it was made from, with statuses, gaps, who said what in which entry, "
        "and the tree size: as JSON (this answer), CSV, PROV-JSON, CycloneDX 1.7 or SPDX 3.0.1; bills of "
        "materials are about artifacts only. What nobody has said is `not recorded`. The same tree size as "
        "`as_of` gives the same bytes. At most 5,000 nodes and 100,000 edges.",
        answer=Export,
        example="export",
        parameters=[
            Parameter("format", "Absent: json.", options=NAMES),
            Parameter("as_of", AS_OF),
        ],
        path={"key": KEY},
        problems=["malformed", "not-found", "too-large"],
    )
    def get(self, request: Request, key: str) -> StreamingHttpResponse:
        query = Query(request, ["format", "as_of"])
        format_ = exports.find(query.choice("format", NAMES) or "json")
        export = exports.gather(node_key(key), query.as_of())
        answer = StreamingHttpResponse(format_.write(export), content_type=format_.media_type)
        answer["Content-Disposition"] = f'attachment; filename="{exports.file_name(export, format_)}"'
        answer["Cache-Control"] = "private, no-cache"
        return answer
