"""The whole error tree of Lineage, and how each member is told to a client.

Owns: every exception that a room raises on purpose. Does not own: turning one into an HTTP answer
(`api.problems`) or an exit code (`lineage.cli`); both read the attributes declared here.
"""

from __future__ import annotations

from typing import ClassVar


class LineageError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        slug: the last part of the RFC 9457 `type`, `urn:lineage:problem:<slug>`.
        status: the HTTP status that the error maps to.
        title: a short sentence that is the same for every occurrence.
        hint: what the caller can do about it; may be empty.
        where: where in the input it was found (a JSON path, a line number); may be empty.
        extra: further members of the problem document, JSON values only.
    """

    slug: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong inside the server"

    def __init__(
        self, message: str, *, hint: str = "", where: str = "", extra: dict[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.extra = extra or {}


class MalformedError(LineageError):
    """The input is not what its format says. The only error that a parser raises, but for limits."""

    slug = "malformed"
    status = 400
    title = "The input is malformed"


class TooLargeError(LineageError):
    """The input is over one of the limits; `limit` is in the message and in the problem document."""

    slug = "too-large"
    status = 413
    title = "The input is over a limit"

    def __init__(self, message: str, *, limit: int, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint, where=where, extra={"limit": limit})
        self.limit = limit


class UnsupportedMediaTypeError(LineageError):
    slug = "unsupported-media-type"
    status = 415
    title = "The media type is not supported here"


class UnauthenticatedError(LineageError):
    slug = "unauthenticated"
    status = 401
    title = "A valid API key is needed"


class ForbiddenError(LineageError):
    slug = "forbidden"
    status = 403
    title = "The API key or person may not do this"


class NotFoundError(LineageError):
    slug = "not-found"
    status = 404
    title = "There is no such thing here"


class RedactedError(LineageError):
    """The bytes were there, and a signed decision took them away: `index` is its entry's."""

    slug = "redacted"
    status = 410
    title = "A signed decision has erased this"

    def __init__(self, message: str, *, index: int, hint: str = "") -> None:
        super().__init__(message, hint=hint, extra={"decision": index})
        self.index = index


class ConflictError(LineageError):
    slug = "conflict"
    status = 409
    title = "The request contradicts what is already recorded"


class SignatureRefutedError(LineageError):
    """A key id names a registered key, and the signature fails under it."""

    slug = "signature-refuted"
    status = 422
    title = "A signature does not verify under the key that it names"


class SignerUnknownError(LineageError):
    """No signature verifies under any registered key that was tried."""

    slug = "signer-unknown"
    status = 422
    title = "No registered key made any of the signatures"


class KeyNotValidError(LineageError):
    """The signature is good, but its key is revoked, expired or not yet in force at log time."""

    slug = "key-not-valid"
    status = 422
    title = "The signing key is not in force"


class NotAllowedError(LineageError):
    """The signature is good and its key in force, but the key may not say this."""

    slug = "not-allowed"
    status = 422
    title = "The signing key may not say this"


class RateLimitedError(LineageError):
    """Too often: the request can be sent again after `retry_after` seconds."""

    slug = "rate-limited"
    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int = 1, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ProposedError(LineageError):
    """Nothing was decided yet: it waits for a second person, as proposal `number`."""

    slug = "proposed"
    status = 202
    title = "The decision waits for a second person"

    def __init__(self, number: int) -> None:
        super().__init__(f"This needs a second person, and waits for one as proposal {number}.")
        self.number = number


class UnavailableError(LineageError):
    """Nothing is wrong with the request; it can be sent again after `retry_after` seconds."""

    slug = "unavailable"
    status = 503
    title = "The service can't answer right now"

    def __init__(self, message: str, *, retry_after: int = 1, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class GraphBehindError(UnavailableError):
    """The graph does not tell all that the log says; what depends on that waits until it does."""


class StorageFullError(UnavailableError):
    """The database has no room left. As soon as there is some again, the same request is answered."""

    def __init__(self) -> None:
        super().__init__(
            "The storage is full: nothing was written.",
            retry_after=30,
            hint="An operator has to make room on the database's disk. Then send it again.",
        )


class RollbackError(LineageError):
    """The log lacks what was published before: nothing is appended or published until somebody has decided.

    Not an UnavailableError: nothing that is away comes back by itself, so nobody is told when to ask again.
    """

    slug = "rolled-back"
    status = 503
    title = "The log is older than what it has published"


class ConfigurationError(LineageError):
    """A setting, key file or state on disk is wrong; the start stops with this message."""

    slug = "configuration"
    title = "The installation is not configured correctly"


class LogIntegrityError(LineageError):
    """The log on disk contradicts itself, its keys or its last published checkpoint."""

    slug = "log-integrity"
    title = "The log does not agree with itself"


class InconclusiveError(LineageError):
    """It could not be checked, which says neither that it is right nor that it is wrong."""

    slug = "inconclusive"
    status = 422
    title = "It could not be checked"


class FencedError(LineageError):
    """The job was given to another worker meanwhile (or is over): nothing of this one's counts any more."""

    slug = "conflict"
    status = 409
    title = "Another worker has this job"
