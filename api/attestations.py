"""Attestations: sending them, finding them, reading them back.

Owns: the body's media types, `wait`, the answers' form. Does not own: verification (`intake`), records.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import JSON_RANGES, Call, caller
from api.openapi import AFTER, AS_OF, EXAMPLES, LIMIT, Parameter, describe
from api.problems import encode, noted, respond
from api.query import Query
from api.renderers import JsonRenderer, encoder
from lineage import meters
from lineage.config import current
from lineage.errors import LineageError, MalformedError, TooLargeError
from lineage.services import (
    graph_choice,
    intake,
    log_connection,
    proofs,
    publish,
    receipts,
    records,
    refusals,
)
from lineage.services.receipts import Receipt, Submitted

NDJSON = "application/x-ndjson"
WAIT_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.05
WAITS = {"projected": graph_choice.followed, "published": publish.published_size}
"""What `wait` may name, and how far the log has got there: entries below that index are done."""

PROOF_TYPE = "text/plain; charset=utf-8"
FAILURE = "lineage.failure"
"""In a request's environment: the exception that `usual` has met with it."""

TRUSTS = ("signed", "observed", "asserted", "revoked")
DIGEST = "Digest of the envelope's bytes, `sha256:<hex>`"
ENVELOPE_PROBLEMS = (
    "malformed",
    "too-large",
    "unsupported-media-type",
    "signature-refuted",
    "signer-unknown",
    "key-not-valid",
    "not-allowed",
    "unavailable",
    "rolled-back",
)


class EnvelopeForm(msgspec.Struct, rename="camel"):
    """A DSSE envelope. `payload` and `sig` are base64, standard or URL-safe, padded or not."""

    payload_type: str
    payload: str
    signatures: list[SignatureForm]


class SignatureForm(msgspec.Struct):
    """`keyid` is a hint: the SHA-256 of the key's SPKI in hex, or another name of the key, or absent."""

    sig: str
    keyid: str | None = None


class Attestations(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "attest"}  # noqa: RUF012
    produces = JSON_RANGES | {NDJSON}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As of any call; a statement that failed before, as `usual` tried it, is answered with that."""
        failure = request.META.pop(FAILURE, None)
        if failure is None:
            return super().dispatch(request, *args, **kwargs)
        answer = respond(noted(failure, request, self))
        answer.headers["Content-Security-Policy"] = self.content_security_policy
        answer.headers["Allow"] = ", ".join(self.allowed_methods)
        self.__dict__.clear()  # as `Call.dispatch` does
        return answer

    @describe(
        "attestations_send",
        "Send an attestation or a set of them",
        "One DSSE envelope around an in-toto statement, or a Sigstore bundle; or a set, one a line, as "
        "`application/x-ndjson`. Signatures are verified, the exact bytes are kept and logged. Known bytes "
        "are answered with 200 and the same receipt. A set is answered with 200 and a line a line, receipt "
        "or problem, in order; one bad line harms no other. At most 8 MiB an envelope "
        "(LINEAGE_MAX_ENVELOPE_BYTES), 10,000 lines or 64 MiB a set.",
        answer=Receipt,
        example="receipt",
        says="The receipt.",
        status=201,
        also={
            200: "The receipt of bytes that were in the log before; or the answers to a set, a line a line."
        },
        parameters=[
            Parameter(
                "wait",
                "Answer once every graph backend (projected) or a checkpoint (published) has it; "
                "after 10 s anyway.",
                options=tuple(WAITS),
            )
        ],
        body=EnvelopeForm,
        body_media=(*body.ENVELOPE_TYPES, *body.SET_TYPES),
        body_example=EXAMPLES["envelope"],
        problems=ENVELOPE_PROBLEMS,
    )
    def post(self, request: Request) -> Response | HttpResponse:
        wait = Query(request, ["wait"]).choice("wait", WAITS)
        kind = body.media_type(request, body.ENVELOPE_TYPES + body.SET_TYPES)
        token = caller(request).name
        if kind in body.SET_TYPES:
            return _answer_set(read_envelope(request, intake.MAX_SET_BYTES, token), token, wait)
        return _answer_one(read_envelope(request, current().max_envelope_bytes, token), token, wait)

    @describe(
        "attestations_list",
        "List attestations, newest first",
        "Every filter narrows the list. The platform's own decisions and observations are in it too.",
        answer=records.AttestationPage,
        example="attestations",
        parameters=[
            Parameter("subject", "A subject's digest, `<algorithm>:<hex>`"),
            Parameter("predicate_type", "Exact predicate type"),
            Parameter("signer", "Key id: hex SHA-256 of the key's SPKI"),
            Parameter("trust", "How far it is believed", options=TRUSTS),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["subject", "predicate_type", "signer", "trust", "as_of", "after", "limit"])
        return Response(
            records.listed(
                query.as_of(),
                subject=query.text("subject") or "",
                predicate_type=query.text("predicate_type") or "",
                signer=query.text("signer") or "",
                trust=query.choice("trust", TRUSTS) or "",
                after=query.text("after") or "",
                limit=query.limit(records.PAGE),
            )
        )


class Attestation(Call):
    @describe(
        "attestations_read",
        "One attestation",
        "The record of an entry: its signatures, verified again, with their keys as they were then and are "
        "now; its leaf in the log; its payload.",
        answer=records.AttestationRecord,
        example="attestation",
        parameters=[Parameter("as_of", AS_OF)],
        path={"digest": DIGEST},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, digest: str) -> Response:
        query = Query(request, ["as_of"])
        return Response(records.attestation(_digest(digest), query.as_of()))


class Envelope(Call):
    produces = JSON_RANGES | set(body.ENVELOPE_TYPES)

    @describe(
        "attestations_envelope",
        "The exact bytes received",
        "Byte for byte what was sent; their SHA-256 is the digest in the address. 410 where a signed "
        "decision has erased them.",
        media="application/vnd.dsse.envelope.v1+json",
        example="envelope",
        parameters=[Parameter("as_of", AS_OF)],
        path={"digest": DIGEST},
        problems=["malformed", "not-found", "redacted"],
    )
    def get(self, request: Request, digest: str) -> HttpResponse:
        query = Query(request, ["as_of"])
        data = records.envelope(_digest(digest))
        if query.text("as_of"):
            records.attestation(digest, query.as_of())  # the bytes are the same at every moment, or unknown
        answer = HttpResponse(data, content_type="application/vnd.dsse.envelope.v1+json")
        answer["Cache-Control"] = "private, no-cache"
        answer["ETag"] = f'"{_digest(digest)}"'
        return answer


class Proof(Call):
    produces = JSON_RANGES | {"text/plain", "text/*"}

    @describe(
        "attestations_proof",
        "A proof that it is in the log",
        "A C2SP tlog-proof, checked offline: `lineage verify PROOF --root KEY --artifact ENVELOPE`. "
        "Its extra line holds the entry's leaf. 503 until a checkpoint covers the entry, about a second.",
        media=PROOF_TYPE,
        path={"digest": DIGEST},
        problems=["malformed", "not-found", "unavailable"],
    )
    def get(self, request: Request, digest: str) -> HttpResponse:
        Query(request)
        data = proofs.of_envelope(_digest(digest))
        return HttpResponse(data, content_type=PROOF_TYPE, headers=dict(proof_headers(digest)))


def proof_headers(digest: str) -> tuple[tuple[str, str], ...]:
    """Of a proof's answer, beside those of every answer."""
    name = f"attestation-{digest.removeprefix('sha256:')[:12]}.tlog-proof"
    return (
        ("Content-Disposition", f'attachment; filename="{name}"'),
        ("Cache-Control", "private, no-cache"),
    )


def _digest(text: str) -> str:
    """Raises: MalformedError where it is not `sha256:<hex>`."""
    if not text.startswith("sha256:"):
        raise MalformedError("An attestation's digest is sha256:<64 lowercase hex digits>.", where="digest")
    return text


def read_envelope(request: Request, limit: int, token: str) -> bytes:
    """The body. One over its limit is refused like any bad envelope, though nobody has read it."""
    django_request = cast(WSGIRequest, request._request)
    return read_envelope_from(django_request, django_request.environ, limit, token)


def read_envelope_from(source: body.Readable, environ: Mapping[str, Any], limit: int, token: str) -> bytes:
    """The same of what the server hands over, as `body.read_from`."""
    try:
        return body.read_from(source, environ, limit)
    except TooLargeError as error:
        refusals.record_unread(error, token=token)
        raise


def _answer_one(data: bytes, token: str, wait: str | None) -> HttpResponse:
    submitted = intake.submit(data, token=token)
    receipt = submitted.receipt
    if wait is not None:
        (receipt,) = _wait([receipt], wait)
    # Encoded here: what the framework does for an answer costs as much as verifying the signature.
    return HttpResponse(
        encoder.encode(receipt),
        status=201 if submitted.created else 200,
        headers={"Location": receipt.links["self"]},
        content_type=JsonRenderer.media_type,
    )


def _answer_set(data: bytes, token: str, wait: str | None) -> HttpResponse:
    answers = intake.submit_set(body.lines(data, intake.MAX_SET_LINES), token=token)
    if wait is not None:
        accepted = iter(_wait([a.receipt for a in answers if isinstance(a, Submitted)], wait))
        lines = [
            encode(a) if isinstance(a, LineageError) else encoder.encode(next(accepted)) for a in answers
        ]
    else:
        lines = [encode(a) if isinstance(a, LineageError) else encoder.encode(a.receipt) for a in answers]
    return HttpResponse(b"".join(line + b"\n" for line in lines), content_type=NDJSON)


def _wait(accepted: Sequence[Receipt], wait: str) -> list[Receipt]:
    """The receipts anew once the last of them is there, or after 10 s as things stand then."""
    if not accepted:
        return []
    last = max(receipt.index for receipt in accepted)
    deadline = time.monotonic() + WAIT_SECONDS
    pause = FIRST_PAUSE_SECONDS
    with meters.waits.track_inprogress():
        while WAITS[wait]() <= last and time.monotonic() < deadline:
            log_connection.hand_back()
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
    published = publish.published_size()
    return [msgspec.structs.replace(r, state=receipts.state(r.index, published)) for r in accepted]
