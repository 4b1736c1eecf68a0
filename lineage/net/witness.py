"""One question to a witness: `POST <prefix>/add-checkpoint`, with bounds on time and on what is read.

Owns: the request and what each status means. Does not own: which checkpoint and keys
(`services.witnesses`). Redirects are not followed: a witness has one address.

Source: C2SP tlog-witness, add-checkpoint.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from lineage.errors import MalformedError, UnavailableError
from lineage.net.guard import Network
from lineage.net.sockets import guarded, leave

CONNECT_SECONDS = 3.0
WHOLE_SECONDS = 8.0
"""For the head and for the body, each."""
MOST_BYTES = 16_384
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")

OK, CONFLICT = 200, 409
_WORDS = {
    400: "The witness finds the request malformed (HTTP 400).",
    403: "The witness does not know the log's key (HTTP 403).",
    404: "The witness does not know this log (HTTP 404).",
    429: "The witness says that we ask too often (HTTP 429).",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`lines`: the signature lines of a cosigned checkpoint. `size`: what the witness cosigned last."""

    lines: bytes = b""
    size: int | None = None
    inconsistent: bool = False
    """The witness says that the log does not extend what it saw (HTTP 422)."""


def add_checkpoint(url: str, body: bytes, allowed: Sequence[Network]) -> Answer:
    """`url` is the submission prefix, `allowed` the private networks that may be reached.

    Raises:
        UnavailableError: the witness is away, too slow, refused by the guard, or does not want to cosign.
        MalformedError: it answers what no witness answers.
    """
    with urllib3.PoolManager(timeout=Timeout(connect=CONNECT_SECONDS, read=WHOLE_SECONDS)) as manager:
        guarded(manager, allowed, head_seconds=WHOLE_SECONDS)
        try:
            answer = manager.request(
                "POST",
                f"{url}/add-checkpoint",
                body=body,
                headers={"Content-Type": "text/plain; charset=utf-8", "Accept-Encoding": "identity"},
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                return _meant(answer.status, _read(answer))
            finally:
                leave(answer)
        except LocationParseError as error:
            raise UnavailableError("The witness's address can't be used.") from error
        except (HTTPError, OSError) as error:
            raise UnavailableError(f"The witness can't be reached: {type(error).__name__}.") from error


def _read(answer: BaseHTTPResponse) -> bytes:
    """The body, within bytes and time: it may come byte by byte, each of them in time."""
    until = time.monotonic() + WHOLE_SECONDS
    data = b""
    while chunk := answer.read1(MOST_BYTES, decode_content=False):
        data += chunk
        if len(data) > MOST_BYTES:
            raise MalformedError(f"The witness's answer has more than {MOST_BYTES:,} bytes.")
        if time.monotonic() > until:
            raise UnavailableError("The witness answers too slowly.")
    return data


def _meant(status: int, body: bytes) -> Answer:
    if status == OK:
        return Answer(lines=body)
    if status == CONFLICT:
        found = _SIZE.fullmatch(body)
        if found is None:
            raise MalformedError("The witness knows another tree and does not say of which size (HTTP 409).")
        return Answer(size=int(found[1]))
    if status == 422:
        return Answer(inconsistent=True)
    raise UnavailableError(_WORDS.get(status, f"The witness answers HTTP {status}."))
