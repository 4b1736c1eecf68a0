"""Send signed envelopes to a Lineage server.

Owns: the HTTP request, what is tried again, and turning a problem document back into the error that the
server raised. Does not own: what is in an envelope (`statements`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import urllib3

from lineage.client.problems import problem_error
from lineage.errors import ConfigurationError, LineageError, MalformedError, UnavailableError

ATTEMPTS = 5
"""Tries after the first. Sending is idempotent: the same bytes are the same entry."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
_LARGEST_PAUSE_SECONDS = 10.0

Wait = Literal["projected", "published"]


class Named(msgspec.Struct, frozen=True):
    """A subject of the statement. `digest` is algorithm → hex."""

    name: str
    digest: dict[str, str]


class Signer(msgspec.Struct, frozen=True):
    """A key that verified; `name` is what it is registered as."""

    key_id: str
    name: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """The server's promise that an envelope is in its log.

    Attributes:
        digest: `sha256:<hex>` of the envelope's bytes.
        statement: `sha256:<hex>` of the signed payload.
        index: place in the log, from 0.
        state: integrated or published.
        trust: signed, observed, asserted or revoked.
        links: name → address.
    """

    digest: str
    statement: str
    index: int
    state: str
    predicate_type: str
    subjects: list[Named] = []
    signers: list[Signer] = []
    trust: str = ""
    links: dict[str, str] = {}


class Client:
    """A connection to one server. May be shared by threads.

    `url` is the server's address (`https://lineage.example.org`), `token` an API key with the scope `attest`.
    Raises: ConfigurationError where the address is none or the token is empty.
    """

    def __init__(self, url: str, token: str, *, attempts: int = ATTEMPTS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError(f"The server's address must be http(s)://HOST[:PORT], not {url!r}.")
        if not token or not token.isascii() or not token.isprintable():
            raise ConfigurationError(
                "An API key is needed to send (lin_…).", hint="See `lineage tokens create`."
            )
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "lineage-client"}
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(
                total=attempts,
                status_forcelist=(503,),
                allowed_methods=None,  # POST too, since sending is idempotent
                backoff_factor=0.2,
                backoff_max=_LARGEST_PAUSE_SECONDS,
                redirect=0,  # a redirect could carry the API key elsewhere
                raise_on_status=False,
                raise_on_redirect=False,
            ),
        )

    def send(self, envelope: bytes, *, wait: Wait | None = None) -> Receipt:
        """Send one envelope, again where the server is out of reach or busy, and give its receipt.

        `wait` asks the server to answer only when the graph, or a checkpoint, has it.

        Raises:
            UnavailableError: the server could not be reached, or stayed busy.
            LineageError: the server refused it: the same class, message and hint as there.
        """
        status, body = self._post(envelope, "application/json", wait)
        if status not in {200, 201}:
            raise problem_error(status, body)
        return _receipt(body)

    def send_set(
        self, envelopes: Sequence[bytes], *, wait: Wait | None = None
    ) -> list[Receipt | LineageError]:
        """Send many envelopes in one request; a receipt or an error for each, in order.

        Raises: UnavailableError, or LineageError where the set as a whole was refused.
        """
        lines = [_one_line(envelope) for envelope in envelopes]
        status, body = self._post(b"\n".join(lines) + b"\n", "application/x-ndjson", wait)
        if status != 200:
            raise problem_error(status, body)
        answers = list(_answers(body))
        if len(answers) != len(envelopes):
            raise UnavailableError(f"The server answered {len(answers)} of {len(envelopes)} lines.")
        return answers

    def _post(self, body: bytes, media_type: str, wait: Wait | None) -> tuple[int, bytes]:
        address = f"{self.url}/api/v1/attestations" + (f"?wait={wait}" if wait else "")
        headers = {**self._headers, "Content-Type": media_type, "Accept": "application/json"}
        try:
            answer = self._pool.request("POST", address, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            raise UnavailableError(
                f"The server at {self.url} can't be reached: {reason}.",
                hint="Is it running, and is the address right?",
            ) from error
        return answer.status, answer.data


def _receipt(body: bytes) -> Receipt:
    try:
        return msgspec.json.decode(body, type=Receipt)
    except msgspec.DecodeError as error:
        raise MalformedError(
            f"The server's answer is not a receipt: {error}.", hint="Is this the address of a Lineage server?"
        ) from error


def _answers(body: bytes) -> Iterator[Receipt | LineageError]:
    for line in body.splitlines():
        try:
            members: Any = json.loads(line)
        except ValueError as error:
            raise MalformedError("A line of the server's answer is not JSON.") from error
        if isinstance(members, dict) and "type" in members and "index" not in members:
            yield problem_error(int(members.get("status", 500)), line)
        else:
            yield _receipt(line)


def _one_line(envelope: bytes) -> bytes:
    line = envelope.rstrip(b"\r\n")
    if b"\n" in line or b"\r" in line:
        raise MalformedError("An envelope of a set must be one line of JSON.")
    return line
