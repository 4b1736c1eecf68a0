"""What went wrong on the way to an MLflow server, as a `SourceError` in words for people.

Owns: the meaning of the library's exceptions. Does not own: what is tried again (`connection`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from urllib3.exceptions import (
    DecodeError,
    IncompleteRead,
    InvalidChunkLength,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TooSlowError

from lineage.mlflow import masking
from lineage.mlflow.errors import SourceError
from lineage.net.errors import RefusedAddressError

MAX_SAID = 300
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def meaning(reason: BaseException, *, read_seconds: float) -> SourceError:
    """What `reason` is; `read_seconds` is how long an answer was waited for."""
    if isinstance(reason, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(reason):
            return SourceError("tls", f"The server's certificate was not accepted: {said(reason)}")
        return SourceError(
            "tls", f"No TLS connection; the server may want a client certificate: {said(reason)}"
        )
    if isinstance(reason, InvalidHeader):
        return SourceError("bad-answer", "The answer contradicts itself about its length.")
    if isinstance(reason, TooSlowError) and not isinstance(reason, NewConnectionError):
        return SourceError("timeout", f"The server did not answer within {read_seconds:.0f} s.")
    if isinstance(reason, ProtocolError | IncompleteRead | InvalidChunkLength | DecodeError):
        return SourceError("cut-off", "The connection ended before the answer was complete.")
    return SourceError("unreachable", f"The server can't be reached: {said(reason)}")


def refused(error: RefusedAddressError) -> SourceError:
    """An address that is not connected to."""
    return SourceError("refused-address", error.message, hint=error.hint)


def expect_missing(content: bytes) -> None:
    """A 404 that MLflow itself gives. Raises SourceError for anybody else's."""
    try:
        code = _OBJECT.decode(content).get("error_code")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        code = None
    if code != "RESOURCE_DOES_NOT_EXIST":
        raise SourceError(
            "not-mlflow", "The server has no such address (HTTP 404): is this an MLflow server?"
        )


def said(error: BaseException) -> str:
    """The words of an exception, without secrets, cut."""
    return masking.text(str(error))[:MAX_SAID]
