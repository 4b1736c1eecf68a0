"""One statement of a program, of which there may be thousands a second, answered without the framework.

What the framework does around such a request costs as much as verifying its signature. Whatever is not quite
usual takes the way of all calls. So does what fails here: the exception travels in the request's environment
to the view, so that refusals and failures are told, and logged, by the one place for all of them.

Owns: which request is usual, and the form of the answer to one that was taken in. Does not own: what is
taken in (`intake`), or what is told of requests (`observed`). tests/api/test_programs.py sends the same both
ways.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from api import attestations, body, observed
from api.authentication import Caller, by_token
from api.middleware import program_headers
from api.renderers import JsonRenderer, encoder
from lineage import logs, tracing
from lineage.config import current
from lineage.services import intake, tokens

PATH, ROUTE = "/api/v1/attestations", "api:attestations"
BEARER = "Bearer "
UNUSUAL = frozenset({"HTTP_COOKIE", "HTTP_CONTENT_ENCODING", "HTTP_X_FORWARDED_HOST"})
STATUS = {200: "200 OK", 201: "201 Created"}

_names = observed.Names()
_headers = (
    ("Content-Type", JsonRenderer.media_type),
    ("Content-Security-Policy", attestations.Attestations.content_security_policy),
    ("Allow", ", ".join(attestations.Attestations().allowed_methods)),
    *program_headers(),
)


class Answer(NamedTuple):
    """As WSGI has it: `status` with its words, headers, and the whole content."""

    status: str
    headers: list[tuple[str, str]]
    content: bytes


def answer(environ: dict[str, Any]) -> Answer | None:
    """The answer to a usual request whose statement is in the log now; None for any other.

    Of one that failed the body was read, and `environ` says so: `attestations.FAILURE`.
    """
    started = perf_counter()
    sender = _sender(environ)
    if sender is None:
        return None
    name = _names.of(environ)
    token = logs.request_id.set(name)
    try:
        limit = current().max_envelope_bytes
        data = attestations.read_envelope_from(environ["wsgi.input"], environ, limit, sender.name)
        submitted = intake.submit(data, token=sender.name)
        content = encoder.encode(submitted.receipt)
        status = 201 if submitted.created else 200
        observed.tell("POST", ROUTE, status, perf_counter() - started)
    except Exception as error:  # of any kind: the framework answers, under the same name
        environ[attestations.FAILURE], environ[observed.STARTED] = error, started
        environ["HTTP_X_REQUEST_ID"] = name
        return None
    finally:
        logs.request_id.reset(token)
    headers = [
        *_headers,
        ("Location", submitted.receipt.links["self"]),
        ("Content-Length", str(len(content))),
        (observed.HEADER, name),
    ]
    return Answer(STATUS[status], headers, content)


def _sender(environ: dict[str, Any]) -> Caller | None:
    """Who sends one statement with an API key that was looked up a moment ago, and asks for nothing more.

    None for any other request. Nothing of it was read, counted or asked of the database then, so whatever
    may be wrong with it is found and told as with any call.
    """
    if (
        environ["PATH_INFO"] != PATH
        or environ["REQUEST_METHOD"] != "POST"
        or environ.get("CONTENT_TYPE") not in body.ENVELOPE_TYPES
        or environ.get("SCRIPT_NAME")
        or environ.get("QUERY_STRING")
        or environ.get("HTTP_ACCEPT", "*/*") != "*/*"
        or not environ.get("HTTP_AUTHORIZATION", "").startswith(BEARER)
        or not UNUSUAL.isdisjoint(environ)
        or not _is_here(environ.get("HTTP_HOST", ""))
        or current().people.attest_rate_limit is not None
        or tracing.on()
    ):
        return None
    token = tokens.just_seen(environ["HTTP_AUTHORIZATION"].removeprefix(BEARER).strip())
    sender = None if token is None else by_token(token)
    return sender if sender is not None and "attest" in sender.scopes else None


@lru_cache(256)
def _is_here(host: str) -> bool:
    """Whether the framework would take this for one of our hosts."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
