"""The lineage graph for programs: search, one node, what it comes from, what came of it, paths, checks."""

from __future__ import annotations

from typing import Literal

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call, caller
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.errors import MalformedError
from lineage.graph.model import EdgeType, NodeKind
from lineage.services import (
    as_of,
    job_records,
    jobs,
    lineage,
    lineage_closure,
    observations,
    registered_models,
)
from lineage.services.job_records import JobRecord
from lineage.services.lineage import CheckRecord, Closure, NodePage, NodeRecord, PathRecord
from lineage.services.observed_entries import Observed
from lineage.services.registered_models import Registration

MAX_DEPTH = 10_000
STATUSES = ("verified", "unverified", "expired", "failed")
KINDS = tuple(kind.value for kind in NodeKind)
EDGES = tuple(edge.value for edge in EdgeType)
KEY = "Node key, `<scheme>:<hex>`, such as `sha256:…` or `run:…`"

CLOSURE_PARAMETERS = (
    Parameter("depth", "How many edges to follow at most.", whole=True),
    Parameter("kind", "Only nodes of these kinds are listed.", options=KINDS, repeated=True),
    Parameter("role", "Only nodes of which somebody claimed one of these roles are listed.", repeated=True),
    Parameter("status", "Only nodes with these statuses are listed.", options=STATUSES, repeated=True),
    Parameter("place", "Only what is at this place: a node key"),
    Parameter("edge", "Edges to follow; absent: those of lineage.", options=EDGES, repeated=True),
    Parameter("as_of", AS_OF),
    Parameter("after", AFTER),
    Parameter("limit", LIMIT, whole=True),
)


class PathList(msgspec.Struct, frozen=True):
    """Explaining paths from `source` to `target`, shortest first; edges point from effect to cause."""

    source: str
    target: str
    tree_size: int
    paths: list[PathRecord]


class CheckList(msgspec.Struct, frozen=True):
    """Re-verifications of the node's copies, newest first."""

    key: str
    tree_size: int
    checks: list[CheckRecord]


class ObservationList(msgspec.Struct, frozen=True):
    """What our collector saw of the node on MLflow servers, newest first; `older` counts what is left out.

    `registrations`: the registered models that it is a version of, with the aliases that named it.
    """

    key: str
    tree_size: int
    observations: tuple[Observed, ...]
    older: int
    registrations: list[Registration]


class Nodes(Call):
    @describe(
        "nodes_search",
        "Search nodes",
        "`name` finds parts of names too, `digest` an artifact by any of its digests or a fingerprint. "
        "`kind` is a node kind or an artifact's role, such as model or dataset.",
        answer=NodePage,
        example="nodes",
        parameters=[
            Parameter("kind", "A node kind or an artifact's role"),
            Parameter("name", "Text in a name"),
            Parameter("status", "Only this status", options=STATUSES),
            Parameter("digest", "`<algorithm>:<value>`, or the value alone"),
            Parameter("tainted", "Only tainted nodes, or only the others", options=("true", "false")),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["kind", "name", "status", "digest", "tainted", "as_of", "after", "limit"])
        tainted = query.choice("tainted", ("true", "false"))
        return Response(
            lineage.search(
                query.as_of(),
                kind=query.text("kind"),
                text=query.text("name"),
                status=query.choice("status", STATUSES),
                digest=query.text("digest"),
                tainted=None if tainted is None else tainted == "true",
                after=query.text("after"),
                limit=query.limit(50),
            )
        )


class Node(Call):
    @describe(
        "nodes_read",
        "One node",
        "What it is called and by whom, its status with reasons, its gaps, copies and origins, as of a "
        "moment. A node that was not known then is 404.",
        answer=NodeRecord,
        example="node",
        parameters=[Parameter("as_of", AS_OF)],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["as_of"])
        return Response(lineage.node(node_key(key), query.as_of()))


class Relatives(Call):
    """Either direction of a closure."""

    direction: Literal["ancestors", "descendants"] = "ancestors"

    def closure(self, request: Request, key: str) -> Closure:
        query = Query(
            request,
            ["place", "depth", "as_of", "after", "limit"],
            repeated=["kind", "role", "status", "edge"],
        )
        place = query.text("place")
        return lineage.closure(
            node_key(key),
            self.direction,
            query.as_of(),
            depth=query.number("depth", MAX_DEPTH, 1, MAX_DEPTH),
            kinds=query.choices("kind", KINDS),
            roles=query.texts("role"),
            status=query.choices("status", STATUSES),
            place=node_key(place, "place") if place else "",
            edges=query.choices("edge", EDGES),
            after=query.text("after"),
            limit=query.limit(),
        )


class Ancestors(Relatives):
    direction = "ancestors"

    @describe(
        "nodes_ancestors",
        "What a node comes from",
        "Everything that it was made from, directly or not, with counts over the whole; edges point from "
        "effect to cause. `total` leaves the node itself out.",
        answer=Closure,
        example="closure",
        parameters=CLOSURE_PARAMETERS,
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(self.closure(request, key))


class Descendants(Relatives):
    direction = "descendants"

    @describe(
        "nodes_descendants",
        "What came of a node",
        "The blast radius: everything that was made from it, directly or not, with counts over the whole; "
        "edges point from effect to cause. `total` leaves the node itself out.",
        answer=Closure,
        example="closure",
        parameters=CLOSURE_PARAMETERS,
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(self.closure(request, key))


class Checks(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "check"}  # noqa: RUF012

    @describe(
        "nodes_checks",
        "Re-verifications of a node",
        "What was found each time the bytes at a location were hashed again, newest first.",
        answer=CheckList,
        parameters=[Parameter("as_of", AS_OF)],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        moment = Query(request, ["as_of"]).as_of()
        return Response(CheckList(key, moment.size, lineage.checks(node_key(key), moment)))

    @describe(
        "nodes_verify",
        "Verify a node's copies now",
        "Puts a job in line that hashes the artifact's copies again and appends what it found; `Location` "
        "is the job. One that is in line or running already is answered again. The body is not read.",
        answer=JobRecord,
        example="job_queued",
        status=202,
        says="The job, with its address in `Location`.",
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def post(self, request: Request, key: str) -> Response:
        Query(request, [])
        node = node_key(key)
        lineage_closure.find(node, as_of.resolve(""))  # raises where there is no such node
        job_id = jobs.enqueue("reverify", node, by=caller(request).name)
        return Response(job_records.read(job_id), status=202, headers={"Location": f"/api/v1/jobs/{job_id}"})


class Observations(Call):
    @describe(
        "nodes_observations",
        "What was seen of a node on MLflow",
        "Each look of our collector that found something new, newest first, with what changed since the look "
        "before; `after_end`: after it had finished. Of a model also its versions, and who was which alias "
        "from when to when.",
        answer=ObservationList,
        example="observations",
        parameters=[Parameter("as_of", AS_OF), Parameter("limit", LIMIT, whole=True)],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["as_of", "limit"])
        node, moment = node_key(key), query.as_of()
        seen = observations.of_node(node, moment, query.limit(50))
        registrations = registered_models.of_node(node, moment) if seen.observed else []
        return Response(ObservationList(node, moment.size, seen.observed, seen.older, registrations))


class Paths(Call):
    @describe(
        "paths_between",
        "How two nodes are connected",
        "Explaining paths, shortest first. Either of the two may be the effect; no path is an empty list.",
        answer=PathList,
        example="paths",
        parameters=[
            Parameter("from", "Node key", required=True),
            Parameter("to", "Node key", required=True),
            Parameter("as_of", AS_OF),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["from", "to", "as_of", "limit"])
        source, target, moment = (
            node_key(query.required("from")),
            node_key(query.required("to")),
            query.as_of(),
        )
        found = lineage.paths(source, target, moment, limit=query.number("limit", 10, 1, 100))
        return Response(PathList(source, target, moment.size, found))


def node_key(text: str, where: str = "key") -> str:
    """Raises: MalformedError where it is not `<scheme>:<hex>`."""
    scheme, _, value = text.partition(":")
    if not (scheme.isascii() and scheme.replace("_", "").isalnum() and value and len(value) <= 128):
        raise MalformedError("A node key is <scheme>:<hex>.", where=where)
    if not set(value) <= set("0123456789abcdef"):
        raise MalformedError("A node key is <scheme>:<hex>, with lowercase hex digits.", where=where)
    return text
