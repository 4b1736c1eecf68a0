"""Which tables a backup holds, which it leaves out and why, and how a row of them is written and read.

Owns: the two lists, in which every table of the database stands once, and the types of columns in an archive.
Does not own: the log's own tables, which are written as entries and checkpoints (`backup_format`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import models

from lineage.db.models import (
    AccessRecord,
    ApiToken,
    Cosignature,
    GraphQuery,
    Job,
    JobStep,
    Proposal,
    Refusal,
    RefusalCount,
    Source,
    Storage,
    Subscription,
    User,
)
from lineage.errors import MalformedError
from lineage.trust import strictjson

BACKED_UP: tuple[type[models.Model], ...] = (
    User,
    EmailAddress,
    SocialAccount,
    Authenticator,
    ApiToken,
    Refusal,
    RefusalCount,
    Job,
    JobStep,
    GraphQuery,
    Source,
    Storage,
    Subscription,
    AccessRecord,
    Proposal,
    Cosignature,
)
"""Configuration and cosignatures, in an order in which each row finds the rows that it refers to."""

LOG_TABLES = (
    "log_head", "log_entry", "log_envelope", "log_entry_subject", "log_entry_signer", "log_signer",
    "log_predicate_type", "log_tile", "log_checkpoint", "log_redaction",
)  # fmt: skip
"""The truth: written as entries and checkpoints, from which the rest is made again."""

LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "graph_state", "graph_skipped_entry", "graph_node", "graph_edge", "graph_support", "graph_claim",
            "graph_check", "graph_copy", "graph_status", "graph_taint", "graph_taint_state",
            "archive_state", "archive_gitoid", "archive_collection", "archive_subject",
        ),
        "projected from the log",
    ),
    "source_object": "read from the log's observations by the next sync",
    "source_state": "the next sync looks at everything",
    "source_problem": "the next sync finds it again",
    "storage_state": "the next check looks for it again",
    "storage_sweep": "figures of this installation; what was found is in the log",
    "log_audit": "the next audit reads everything again",
    "witness_state": "the next question to each witness tells anew",
    "worker_beat": "of the workers that run now",
    "django_session": "people sign in again",
    "account_emailconfirmation": "no address is confirmed by mail",
    **dict.fromkeys(
        ("socialaccount_socialapp", "socialaccount_socialtoken"),
        "the provider stands in the settings, and its tokens are not kept",
    ),
    **dict.fromkeys(
        (
            "django_content_type", "django_migrations", "auth_permission", "auth_group",
            "auth_group_permissions", "account_user_groups", "account_user_user_permissions",
        ),
        "made by migrations, and used for nothing: rights follow from the role",
    ),
}  # fmt: skip

_INT32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_NO_NUL = r"\A[^\x00]*\Z"
_TYPES: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
    (models.BooleanField, bool),
    (models.DateTimeField, Annotated[datetime, msgspec.Meta(tz=True)]),
    (models.DateField, date),
    (models.BinaryField, bytes),
    (models.JSONField, Any),
    (models.BigIntegerField, _INT64),
    (models.IntegerField, _INT32),
)
"""The first that fits; a date and time is a date too, a big integer an integer."""


def name(model: type[models.Model]) -> str:
    """The table's."""
    return model._meta.db_table


def fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return list(model._meta.concrete_fields)


def columns(model: type[models.Model]) -> list[str]:
    """Names of the columns, in the order of a row."""
    return [field.column or field.attname for field in fields(model)]


def read(model: type[models.Model], line: bytes) -> tuple[Any, ...]:
    """The values of a row, in the order of its columns.

    Raises: MalformedError, TooLargeError.
    """
    strictjson.check(line, what=f"row of {name(model)}")
    try:
        row = _decoder(model).decode(line)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, f"A row of {name(model)} is not as it should be") from None
    return msgspec.structs.astuple(row)


@cache
def _decoder(model: type[models.Model]) -> msgspec.json.Decoder[Any]:
    shape = msgspec.defstruct(
        model.__name__,
        [(f"c{place}", _type(field)) for place, field in enumerate(fields(model))],
        array_like=True,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(shape)


def _type(field: models.Field[Any, Any]) -> Any:
    """What may stand in a column: never more than either database takes."""
    kind = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(kind, models.CharField | models.TextField):
        found: Any = Annotated[str, msgspec.Meta(max_length=kind.max_length, pattern=_NO_NUL)]
        if kind.choices:
            found = Literal[tuple(value for value, _ in kind.flatchoices)]
    else:
        found = next((found for known, found in _TYPES if isinstance(kind, known)), None)
    if found is None:
        raise MalformedError(f"Columns of {type(kind).__name__} have no form in an archive.")
    return found | None if field.null else found
