"""Leaving and forgetting: the decisions that redact, hold and keep for a time, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import describe
from api.query import Query
from lineage.services import forgetting_records, holds, redact, retention
from lineage.services.forgetting_records import Forgetting
from lineage.services.receipts import Submitted
from lineage.trust.forgetting_decisions import Hold, Retention, RetentionClass

_ENVELOPE = "sha256:83c35b42cc40a9a5e1c37ef575e715c2e1f7e428674246fbe448497784e9ff6e"


class _Form(msgspec.Struct, forbid_unknown_fields=True, tag_field="action"):
    """A decision to be recorded; `action` says which."""


class RedactEnvelopes(_Form, tag="redact"):
    """The bytes of `envelopes` (`sha256:<hex>`), and of all entries with their statements, are erased.

    `erase_subjects`: the digests of what they were about are erased from the index, too.
    """

    envelopes: list[str]
    reason: str
    erase_subjects: bool = False

    def decide(self, person: str) -> Submitted:
        return redact.redact(self.envelopes, self.reason, person=person, erase_subjects=self.erase_subjects)


class PlaceHold(_Form, tag="hold"):
    """Nothing that these name is redacted until the hold is released; `everything`: all of the log."""

    name: str
    reason: str
    subjects: tuple[str, ...] = ()
    envelopes: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    predicate_types: tuple[str, ...] = ()
    everything: bool = False

    def decide(self, person: str) -> Submitted:
        hold = Hold(
            self.name,
            self.reason,
            self.subjects,
            self.envelopes,
            self.signers,
            self.predicate_types,
            self.everything,
        )
        return holds.place(hold, person=person)


class Release(_Form, tag="release-hold"):
    """The hold that entry `hold` placed ends."""

    hold: int
    reason: str

    def decide(self, person: str) -> Submitted:
        return holds.release(self.hold, self.reason, person=person)


class KeptClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries of these kinds and predicate types (empty: any) are kept for `days`; null: for ever."""

    name: str
    days: int | None
    kinds: tuple[Literal["attestation", "observation"], ...] = ()
    predicate_types: tuple[str, ...] = ()


class AdoptRetention(_Form, tag="retention"):
    """The first class that an entry belongs to says how long it is kept; what belongs to none is for ever."""

    classes: tuple[KeptClass, ...]
    reason: str

    def decide(self, person: str) -> Submitted:
        classes = tuple(
            RetentionClass(each.name, each.days, each.kinds, each.predicate_types) for each in self.classes
        )
        return retention.adopt(Retention(classes, self.reason), person=person)


BODIES: Mapping[str, Any] = {
    "redact": {
        "action": "redact",
        "envelopes": [_ENVELOPE],
        "reason": "it names a person who asked to be forgotten",
    },
    "hold": {
        "action": "hold",
        "name": "case 2027-14",
        "subjects": [_ENVELOPE],
        "reason": "the court has asked for it",
    },
    "release-hold": {"action": "release-hold", "hold": 4711, "reason": "the case is closed"},
    "retention": {
        "action": "retention",
        "classes": [
            {"name": "what pipelines signed", "days": None, "kinds": ["attestation"]},
            {"name": "what was observed", "days": 730, "kinds": ["observation"]},
        ],
        "reason": "adopted by the board on 3 May",
    },
}


class ForgettingNow(Call):
    @describe(
        "forgetting_read",
        "Holds, retention and redactions",
        "The holds that stand, the retention policy in force, how many envelopes are redacted, what waits to "
        "be erased and what was kept although a decision names it. Decided by `POST /decisions`.",
        answer=Forgetting,
        example="forgetting",
    )
    def get(self, request: Request) -> Response:
        Query(request)
        return Response(forgetting_records.now())
