"""One attestation: who signed what, with which key, when, and where it is in the log."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.db.models import Entry
from lineage.errors import (
    ConflictError,
    LineageError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from lineage.services import consequences, key_records, keyring, records, redact, statement_nodes, withdraw
from lineage.services.consequences import Consequences
from lineage.services.decide import MAX_REASON
from lineage.services.records import AttestationRecord, SignatureRecord
from lineage.trust.keys import PublicKey
from lineage.web.pages import Page

MAX_SHOWN = 200_000
"""Characters of a decoded statement that the page shows; the download has all of it."""

FIRST_CHANGES = 10
"""Nodes and edges that a decision changed and that its own page shows; a page of its own has all."""

MAX_SUBJECTS = 200
"""Rows of a table on the page; the decoded statement has all of them."""

LEAF_LINES = (
    ("Format", "always the same for this kind of leaf"),
    ("Kind", "attestation, observation or decision"),
    ("Envelope", "SHA-256 of the exact bytes received"),
    ("Statement", "SHA-256 of the verified payload"),
    ("Received", "log time, UTC; never goes back along the log"),
    ("Signed by", "ids of the keys that verified"),
    ("Policy", "newest earlier decision about keys or policy"),
)
"""What the seven lines of a leaf are, in their order."""

OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "verified": ("verified", "Verified", "The signature is good under this key."),
    "refuted": (
        "failed",
        "Refuted",
        "It names a registered key, and is no signature of these bytes by that key.",
    ),
    "unknown": ("unverified", "Unknown", "No key that was registered then made it: it proves nothing."),
}
"""Signature outcome → the status whose colour it takes, its word, its sentence."""


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """A signature, its outcome in words, and its key as it is at the moment shown (None: unknown key)."""

    signature: SignatureRecord
    tone: str
    word: str
    sentence: str
    now: key_records.KeyRecord | None


class AttestationPage(Page):
    section: ClassVar[str] = "attestations"
    template_name = "attestations/page.html"

    def get(self, request: HttpRequest, digest: str) -> HttpResponse:
        return self.page(records.attestation(digest, self.as_of))

    def page(
        self, record: AttestationRecord, error: LineageError | None = None, refused: str = ""
    ) -> HttpResponse:
        """The page, with what was wrong where something was refused: `withdraw` or `redact`."""
        text, cut = decoded(bytes(record.payload))
        digest = record.digest
        return self.render(
            status=422 if error else 200,
            record=record,
            error=error,
            reason=self.request.POST.get("reason", "")[: 2 * MAX_REASON] if error else "",
            max_reason=MAX_REASON,
            refused=refused,
            may_withdraw=self.may_withdraw(record),
            may_redact=self.may_redact(record),
            found=self.changes(record),
            signatures=[self._signature(signature) for signature in record.signatures],
            named=statement_nodes.named(digest, self.as_of),
            max_subjects=MAX_SUBJECTS,
            leaf=leaf_rows(record),
            decoded=text,
            cut=cut,
            file_name=file_name(record),
            proof_name=file_name(record).replace(".json", ".tlog-proof"),
        )

    def may_withdraw(self, record: AttestationRecord) -> bool:
        """Officers may, now, what is no decision and counts still."""
        officer = self.person.may(User.Role.OFFICER) and self.as_of.live
        told = record.withdrawn is None and record.redacted is None
        return officer and told and record.kind != Entry.Kind.DECISION

    def may_redact(self, record: AttestationRecord) -> bool:
        """Officers may, now, what is no decision and still there."""
        officer = self.person.may(User.Role.OFFICER) and self.as_of.live
        return officer and record.redacted is None and record.kind != Entry.Kind.DECISION

    def changes(self, record: AttestationRecord) -> Consequences | None:
        """What a decision changed, in short; None for other entries, and while the graph is behind."""
        if record.kind != Entry.Kind.DECISION:
            return None
        return consequences.of_entry(record.index, limit=FIRST_CHANGES)

    def _signature(self, signature: SignatureRecord) -> SignatureRow:
        now = None
        if signature.key is not None:
            try:
                now = key_records.get(signature.key.key_id, self.as_of)
            except NotFoundError:
                now = None
        return SignatureRow(signature, *OUTCOMES[signature.outcome], now)


class ConsequencesPage(Page):
    """All that an entry changed, in two lists, each in pages."""

    section: ClassVar[str] = "attestations"
    template_name = "attestations/consequences.html"

    def get(self, request: HttpRequest, digest: str) -> HttpResponse:
        record = records.attestation(digest, self.as_of)
        node, edge = request.GET.get("after_node", ""), request.GET.get("after_edge", "")
        found = consequences.of_entry(record.index, after_node=node, after_edge=edge)
        return self.render(record=record, found=found, after_node=node or None, after_edge=edge or None)


class Withdraw(AttestationPage):
    """POST takes the statement back, for a reason; asked for twice, because it can't be undone."""

    role = User.Role.OFFICER
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, digest: str) -> HttpResponse:
        record = records.attestation(digest, self.as_of)
        try:
            if request.POST.get("confirm") != "yes":
                raise MalformedError("Tick that you are sure: a withdrawal can't be undone.", where="confirm")
            reason = request.POST.get("reason", "")
            done = withdraw.withdraw(record.statement, reason, person=self.person.email)
        except (MalformedError, ConflictError) as error:
            return self.page(record, error, "withdraw")
        messages.success(
            request, f"Withdrawn: from entry {done.receipt.index} on nothing that it says is believed."
        )
        return redirect("attestation", record.digest)


class Redact(AttestationPage):
    """POST erases the entry's bytes, for a reason; asked for twice, because nothing brings them back."""

    role = User.Role.OFFICER
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, digest: str) -> HttpResponse:
        record, given = records.attestation(digest, self.as_of), request.POST
        try:
            if given.get("confirm") != "yes":
                raise MalformedError("Tick that you are sure: a redaction can't be undone.", where="confirm")
            done = redact.redact(
                [record.digest],
                given.get("reason", ""),
                person=self.person.email,
                erase_subjects=given.get("erase_subjects") == "yes",
            )
        except (MalformedError, ConflictError, TooLargeError, UnavailableError) as error:
            return self.page(record, error, "redact")
        messages.success(request, f"Redacted by entry {done.receipt.index}: its bytes are erased.")
        return redirect("attestation", record.digest)


class EnvelopeDownload(Page):
    """The exact bytes that are in the log, as a file."""

    def get(self, request: HttpRequest, digest: str) -> HttpResponse:
        record = records.attestation(digest, self.as_of)
        return HttpResponse(
            records.envelope(digest),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{file_name(record)}"'},
        )


class KeyDownload(Page):
    """The public key of one of an attestation's signers, as PEM."""

    def get(self, request: HttpRequest, digest: str, key_id: str) -> HttpResponse:
        record = records.attestation(digest, self.as_of)
        known = keyring.current().keys.get(key_id)
        key = known.key if known else None
        if not isinstance(key, PublicKey) or key_id not in {signer.key_id for signer in record.signers}:
            raise NotFoundError("No key with this id signed this attestation.")
        return HttpResponse(
            key.pem(),
            content_type="application/x-pem-file",
            headers={"Content-Disposition": 'attachment; filename="signer.pem"'},
        )


def file_name(record: AttestationRecord) -> str:
    """What the downloaded envelope is called; only letters of its own digest in it."""
    return f"attestation-{record.digest.removeprefix('sha256:')[:12]}.json"


def leaf_rows(record: AttestationRecord) -> list[tuple[str, str, str]]:
    """The leaf's lines as (label, exact text, what it is)."""
    lines = record.leaf.split("\n")[: len(LEAF_LINES)]
    return [(label, line, meaning) for (label, meaning), line in zip(LEAF_LINES, lines, strict=True)]


def decoded(payload: bytes) -> tuple[str, bool]:
    """A statement's JSON, indented, numbers as they are written; and whether it was cut short.

    Characters that would reorder or hide text on the screen are written as escapes.
    """
    text = msgspec.json.format(payload, indent=2).decode()
    return "".join(map(_visible, text[:MAX_SHOWN])), len(text) > MAX_SHOWN


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cf", "Cc") and character != "\n"
    return f"\\u{ord(character):04x}" if hidden else character
