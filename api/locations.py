"""Locations: where bytes lie. Configuration of storages, a try, a check; never a secret in an answer."""

from __future__ import annotations

from typing import Literal

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import describe
from api.query import Query
from lineage.services import job_records, storage_figures, storage_jobs, storage_records
from lineage.services.job_records import JobRecord
from lineage.services.storage_figures import LocationAnswer, LocationRecord
from lineage.services.storage_records import StorageCheck
from lineage.services.storage_values import StorageValues

NAME = "The storage's name"
BODY_PROBLEMS = ("malformed", "conflict", "too-large", "unsupported-media-type")
CREATED = 201
ACCEPTED = 202


class NewLocation(StorageValues, kw_only=True, forbid_unknown_fields=True):
    """A storage to read from. `name` and `kind` never change; `uri` is what its locations begin with."""

    name: str
    kind: Literal["s3", "gcs", "azure", "http", "oci", "huggingface"]
    uri: str


class LocationList(msgspec.Struct, frozen=True):
    """Every storage: folders, MLflow servers, others, each by name."""

    locations: list[LocationRecord]


class VerifyForm(msgspec.Struct, forbid_unknown_fields=True):
    """`method`: `full` computes each digest again; absent: as the check policy asks."""

    method: Literal["full", ""] = ""


class Locations(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "locations_list",
        "List storages",
        "Each place whose files are read and checked again: folders of LINEAGE_STORAGE_ROOTS, followed "
        "MLflow servers, and what was configured here. Secrets are never told.",
        answer=LocationList,
        example="locations",
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        Query(request, [])
        return Response(LocationList(storage_figures.every()))

    @describe(
        "locations_add",
        "Configure a storage",
        "What lies under its `uri` are copies from then on, and are checked. `secret` and `token` are kept "
        "encrypted and never given back. A server on a private network needs LINEAGE_PRIVATE_NETWORKS. "
        "Nothing is connected to here; `/check` tries it.",
        answer=LocationRecord,
        example="location",
        status=CREATED,
        says="The storage.",
        body=NewLocation,
        body_example={
            "name": "models",
            "kind": "s3",
            "uri": "s3://models/prod",
            "endpoint": "https://minio.example.com:9000",
            "username": "access-key-id",
            "secret": "the secret key",
        },
        problems=BODY_PROBLEMS,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, NewLocation)
        storage_records.add(form.name, form.kind, _values(form), by=caller(request).name)
        headers = {"Location": f"/api/v1/locations/{form.name}"}
        return Response(storage_figures.read(form.name), status=CREATED, headers=headers)


class Location(Call):
    http_method_names = ["get", "head", "patch", "delete"]  # noqa: RUF012
    scopes = {"GET": "read", "HEAD": "read", "PATCH": "operate", "DELETE": "operate"}  # noqa: RUF012

    @describe(
        "locations_read",
        "One storage",
        "Whether it answers, how its copies stand, its newest sweeps and how fast they were, what was "
        "covered in the last day, week and month, and the copies that failed.",
        answer=LocationAnswer,
        example="location-answer",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, name: str) -> Response:
        Query(request, [])
        return Response(storage_figures.answer(name))

    @describe(
        "locations_change",
        "Change a storage",
        "What is not sent stays, secrets too; an empty text clears. Stored secrets have to be sent again "
        "where the address changes, so that they reach no other server. `paused` stops and resumes checks. "
        "Folders and MLflow servers are not changed here.",
        answer=LocationRecord,
        example="location",
        says="The storage as it is now.",
        path={"name": NAME},
        body=StorageValues,
        body_example={"region": "eu-central-1", "paused": False},
        problems=[*BODY_PROBLEMS, "not-found"],
    )
    def patch(self, request: Request, name: str) -> Response:
        Query(request)
        storage_records.change(name, body.read_json(request, StorageValues), by=caller(request).name)
        return Response(storage_figures.read(name))

    @describe(
        "locations_remove",
        "Remove a storage",
        "It is opened no more, and its secrets are forgotten. What was found there stays in the log, and "
        "counts again once a storage has that address.",
        answer=LocationRecord,
        example="location",
        says="The storage as it was.",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def delete(self, request: Request, name: str) -> Response:
        Query(request)
        storage_records.find(name)
        record = storage_figures.read(name)
        storage_records.remove(name, by=caller(request).name)
        return Response(record)


class Check(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "locations_check",
        "Try a storage now",
        "Connects, and looks whether its files can be read. The answer is 200 also where it can't be "
        "reached: then `ok` is false and `reason` says why. No file is checked.",
        answer=StorageCheck,
        example="location-check",
        path={"name": NAME},
        problems=["malformed", "not-found"],
    )
    def post(self, request: Request, name: str) -> Response:
        Query(request)
        return Response(storage_records.check(name))


class Verify(Call):
    scopes = {"POST": "check"}  # noqa: RUF012

    @describe(
        "locations_verify",
        "Check a storage's copies now",
        "Puts a verification of what is due there in line. `/api/v1/jobs/{job_id}` says what became of it.",
        answer=JobRecord,
        example="job_queued",
        status=ACCEPTED,
        says="The job, queued or running.",
        path={"name": NAME},
        body=VerifyForm,
        body_example={"method": "full"},
        problems=[*BODY_PROBLEMS, "not-found"],
    )
    def post(self, request: Request, name: str) -> Response:
        Query(request)
        form = body.read_json(request, VerifyForm)
        job_id = storage_jobs.ask(name, method=form.method, by=caller(request).name)
        headers = {"Location": f"/api/v1/jobs/{job_id}"}
        return Response(job_records.read(job_id), status=ACCEPTED, headers=headers)


def _values(form: NewLocation) -> StorageValues:
    """What is said of the storage itself, beside its name and kind."""
    return StorageValues(**{name: getattr(form, name) for name in StorageValues.__struct_fields__})
