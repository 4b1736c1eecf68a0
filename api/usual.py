"""What programs ask thousands of times a second, one statement or one proof, answered without the framework.

What the framework does around such a request costs as much as verifying its signature. Whatever is not quite
usual takes the way of all calls. So does what fails here, so that refusals and failures are told, and logged,
by the one place for all of them: a proof is asked for once more there; a statement's body was read, so its
exception travels in the request's environment to the view.

Owns: which request is usual, and the form of the answer to it. Does not own: what is taken in (`intake`),
proofs, or what is told of requests (`observed`). tests/api/test_programs.py asks the same both ways.
"""

from __future__ import annotations

import re
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from api import attestations, body, observed, throttling
from api.authentication import Caller, by_token
from api.base import Call
from api.middleware import program_headers
from api.renderers import JsonRenderer, encoder
from lineage import client_address, logs, tracing
from lineage.config import current
from lineage.services import access_records, intake, proofs, tokens

PATH, ROUTE = "/api/v1/attestations", "api:attestations"
PROOF, PROOF_ROUTE = re.compile(PATH + "/(sha256:[0-9a-f]{64})/proof"), "api:proof"
BEARER = "Bearer "
UNUSUAL = frozenset({"HTTP_COOKIE", "HTTP_CONTENT_ENCODING", "HTTP_X_FORWARDED_HOST"})
STATUS = {200: "200 OK", 201: "201 Created"}

_names = observed.Names()


def _fixed(view: type[Call], content_type: str) -> tuple[tuple[str, str], ...]:
    """The headers that every good answer of a view has."""
    return (
        ("Content-Type", content_type),
        ("Content-Security-Policy", view.content_security_policy),
        ("Allow", ", ".join(view().allowed_methods)),
        *program_headers(),
    )


_STATEMENT_HEADERS = _fixed(attestations.Attestations, JsonRenderer.media_type)
_PROOF_HEADERS = _fixed(attestations.Proof, attestations.PROOF_TYPE)


class Answer(NamedTuple):
    """As WSGI has it: `status` with its words, headers, and the whole content."""

    status: str
    headers: list[tuple[str, str]]
    content: bytes


class _Done(NamedTuple):
    """`headers`: without those that every answer has."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes


def answer(environ: dict[str, Any]) -> Answer | None:
    """The answer to a usual request; None for any other, and for one that failed.

    Of a statement that failed the body was read, and `environ` says so: `attestations.FAILURE`.
    """
    started = perf_counter()
    method = environ["REQUEST_METHOD"]
    asks = method == "GET"
    route = PROOF_ROUTE if asks else ROUTE
    caller = _reader(environ) if asks else _sender(environ)
    if caller is None:
        return None
    name = _names.of(environ)
    token = logs.request_id.set(name)
    try:
        done = _prove(environ, caller) if asks else _take_in(environ, caller)
        observed.tell(method, route, done.status, perf_counter() - started)
    except Exception as error:  # of any kind: the framework answers, under the same name
        if not asks:
            environ[attestations.FAILURE] = error
        environ[observed.STARTED], environ["HTTP_X_REQUEST_ID"] = started, name
        return None
    finally:
        logs.request_id.reset(token)
    more = ("Content-Length", str(len(done.content))), (observed.HEADER, name)
    return Answer(STATUS[done.status], [*done.headers, *more], done.content)


def _take_in(environ: dict[str, Any], sender: Caller) -> _Done:
    """A statement. Raises: what the view has for one that is refused."""
    limit = current().max_envelope_bytes
    data = attestations.read_envelope_from(environ["wsgi.input"], environ, limit, sender.name)
    submitted = intake.submit(data, token=sender.name)
    content = encoder.encode(submitted.receipt)
    location = ("Location", submitted.receipt.links["self"])
    return _Done(201 if submitted.created else 200, (*_STATEMENT_HEADERS, location), content)


def _prove(environ: dict[str, Any], reader: Caller) -> _Done:
    """A proof. Raises: RateLimitedError, and what `proofs.of_envelope` does."""
    throttling.count(reader)
    environ[throttling.COUNTED] = True
    digest = environ["PATH_INFO"].split("/")[-2]
    content = proofs.of_envelope(digest)
    address = client_address.of(environ)
    access_records.note(reader.name, "GET", PROOF_ROUTE, digest, 200, address, export=True)
    return _Done(200, (*_PROOF_HEADERS, *attestations.proof_headers(digest)), content)


def _sender(environ: dict[str, Any]) -> Caller | None:
    """Who sends one statement, and asks for nothing more. None for any other request.

    Nothing of it was read, counted or asked of the database then, so whatever may be wrong with it is found
    and told as with any call.
    """
    if (
        environ["PATH_INFO"] != PATH
        or environ["REQUEST_METHOD"] != "POST"
        or environ.get("CONTENT_TYPE") not in body.ENVELOPE_TYPES
        or current().people.attest_rate_limit is not None
    ):
        return None
    return _program(environ, "attest")


def _reader(environ: dict[str, Any]) -> Caller | None:
    """Who asks for one proof, as `_sender`."""
    if not PROOF.fullmatch(environ["PATH_INFO"]) or environ.get("CONTENT_TYPE"):
        return None
    return _program(environ, "read")


def _program(environ: dict[str, Any], scope: str) -> Caller | None:
    """Who calls with an API key that was looked up a moment ago and has this scope, in the usual way."""
    if (
        environ.get("SCRIPT_NAME")
        or environ.get("QUERY_STRING")
        or environ.get("HTTP_ACCEPT", "*/*") != "*/*"
        or not environ.get("HTTP_AUTHORIZATION", "").startswith(BEARER)
        or not UNUSUAL.isdisjoint(environ)
        or not _is_here(environ.get("HTTP_HOST", ""))
        or tracing.on()
    ):
        return None
    token = tokens.just_seen(environ["HTTP_AUTHORIZATION"].removeprefix(BEARER).strip())
    caller = None if token is None else by_token(token)
    return caller if caller is not None and scope in caller.scopes else None


@lru_cache(256)
def _is_here(host: str) -> bool:
    """Whether the framework would take this for one of our hosts."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
