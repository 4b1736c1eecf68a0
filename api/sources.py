"""Sources: MLflow servers that are followed. Configuration, a try, a sync; never a secret in an answer."""

from __future__ import annotations

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import describe
from api.query import Query
from lineage.services import (
    job_records,
    source_check,
    source_jobs,
    source_records,
    sources,
    storage_figures,
)
from lineage.services.job_records import JobRecord
from lineage.services.source_check import SourceCheck
from lineage.services.source_records import ProblemRecord, SourceRecord
from lineage.services.source_values import SourceValues
from lineage.services.storage_figures import LocationRecord

NAME = "The source's name"
BODY_PROBLEMS = ("malformed", "conflict", "too-large", "unsupported-media-type")
CREATED = 201
ACCEPTED = 202


class NewSource(SourceValues, kw_only=True, forbid_unknown_fields=True):
    """A server to follow. `name` never changes: it is part of the identity of each run.

    `continues`: it is the server whose records the log has under this name already, from a source that was
    removed. Without it such a name is a conflict.
    """

    name: str
    url: str
    continues: bool = False


class SourceList(msgspec.Struct, frozen=True):
    """Every source, by name; and every storage, as `/locations` lists them."""

    sources: list[SourceRecord]
    locations: list[LocationRecord]


class SourceAnswer(msgspec.Struct, frozen=True):
    """One source, and what could not be read or recorded of it: the newest first, at most 100."""

    source: SourceRecord
    problems: list[ProblemRecord]


class SyncForm(msgspec.Struct, forbid_unknown_fields=True):
    """`sweep`: compare everything, and not only what may have moved. `rehash`: hash every byte again, too."""

    sweep: bool = False
    rehash: bool = False


class Sources(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "sources_list",
        "List sources",
        "Each MLflow server that is followed: how, and what its syncs came to; and each place where bytes "
        "lie. Secrets are never told.",
        answer=SourceList,
        example="sources",
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        Query(request, [])
        return Response(SourceList(source_records.every(), storage_figures.every()))

    @describe(
        "sources_add",
        "Follow an MLflow server",
        "Its first sync is due at once. `secret`, `client_key_pem` and `webhook_secret` are kept encrypted "
        "and never given back. A server on a private network needs LINEAGE_PRIVATE_NETWORKS. Nothing is "
        "connected to here; `/check` tries it.",
        answer=SourceRecord,
        example="source",
        status=CREATED,
        says="The source.",
        body=NewSource,
        body_example={
            "name": "lab",
            "url": "https://mlflow.example.com",
            "auth": "basic",
            "username": "lineage",
            "secret": "the password",
            "data_roots": ["/srv/data"],
        },
        problems=BODY_PROBLEMS,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, NewSource)
        sources.add(form.name, form, by=caller(request).name, continues=form.continues)
        headers = {"Location": f"/api/v1/sources/{form.name}"}
        return Response(source_records.read(form.name), status=CREATED, headers=headers)


class Source(Call):
    http_method_names = ["get", "head", "patch", "delete"]  # noqa: RUF012
    scopes = {"GET": "read", "HEAD": "read", "PATCH": "operate", "DELETE": "operate"}  # noqa: RUF012

    @describe(
        "sources_read",
        "One source",
        "With what could not be read or recorded of it, and why.",
        answer=SourceAnswer,
        example="source-answer",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, name: str) -> Response:
        Query(request, [])
        return Response(SourceAnswer(source_records.read(name), source_records.problems(name)))

    @describe(
        "sources_change",
        "Change a source",
        "What is not sent stays, secrets too; an empty text clears. A stored secret has to be sent again "
        "where the address or the proxy changes, so that it reaches no other server. `paused` stops and "
        "resumes.",
        answer=SourceRecord,
        example="source",
        says="The source as it is now.",
        path={"name": NAME},
        body=SourceValues,
        body_example={"poll_seconds": 60, "paused": False},
        problems=[*BODY_PROBLEMS, "not-found"],
    )
    def patch(self, request: Request, name: str) -> Response:
        Query(request)
        sources.change(name, body.read_json(request, SourceValues), by=caller(request).name)
        return Response(source_records.read(name))

    @describe(
        "sources_remove",
        "Remove a source",
        "It is followed no more, and its secrets are forgotten. What was recorded of it stays in the log.",
        answer=SourceRecord,
        example="source",
        says="The source as it was.",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def delete(self, request: Request, name: str) -> Response:
        Query(request)
        record = source_records.read(name)
        sources.remove(name, by=caller(request).name)
        return Response(record)


class Check(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "sources_check",
        "Try a source now",
        "Connects, asks for the version and lists experiments. The answer is 200 also where the server gives "
        "none: then `ok` is false and `reason` says why. Nothing is recorded.",
        answer=SourceCheck,
        example="source-check",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def post(self, request: Request, name: str) -> Response:
        Query(request)
        return Response(source_check.check(sources.find(name)))


class Sync(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "sources_sync",
        "Sync a source now",
        "Puts a sync in line. Where one waits already it does this too; where one runs that does less it is "
        "a conflict: ask again once it is done. `/api/v1/jobs/{job_id}` says what became of it.",
        answer=JobRecord,
        example="job_queued",
        status=ACCEPTED,
        says="The job, queued or running.",
        path={"name": NAME},
        body=SyncForm,
        body_example={"sweep": True},
        problems=[*BODY_PROBLEMS, "not-found"],
    )
    def post(self, request: Request, name: str) -> Response:
        Query(request)
        form = body.read_json(request, SyncForm)
        job_id = source_jobs.ask(name, sweep=form.sweep, rehash=form.rehash, by=caller(request).name)
        headers = {"Location": f"/api/v1/jobs/{job_id}"}
        return Response(job_records.read(job_id), status=ACCEPTED, headers=headers)
