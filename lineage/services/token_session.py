"""One session with a PKCS#11 token a process: opened at first use, opened anew when it was lost.

Owns: loading the library, finding the token, the PIN, taking turns (a session does one thing at a time),
another process after a fork, and what each failure means. A wrong PIN is never tried twice, because a token
locks itself after a few. Does not own: which objects are used (`key_token`).
Source: PKCS#11 v2.40, sections 5.4 (C_Initialize and fork) and 5.6 (sessions).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import TypeVar

import pkcs11
from pkcs11 import exceptions as failures

from lineage.errors import ConfigurationError, UnavailableError
from lineage.pkcs11_uri import TokenUri

_T = TypeVar("_T")

_LOST = (
    failures.SessionHandleInvalid,
    failures.SessionClosed,
    failures.SessionCount,
    failures.UserNotLoggedIn,
    failures.ObjectHandleInvalid,
    failures.KeyHandleInvalid,
    failures.OperationActive,
    failures.DeviceError,
    failures.DeviceMemory,
    failures.DeviceRemoved,
    failures.TokenNotPresent,
    failures.FunctionFailed,
    failures.GeneralError,
)
"""Failures after which a new session may work."""
MAX_PIN_BYTES = 1024


class _NotShownError(ConfigurationError):
    """The library does not show the token. It looked when it was loaded, and may see more the next time: one
    that was connected since, or that another process was just writing to."""


class TokenSession:
    """The session with the token that `uri` names."""

    def __init__(self, uri: TokenUri) -> None:
        self.uri = uri
        self._lock = RLock()
        self._session: pkcs11.Session | None = None
        self._process = os.getpid()

    def use(self, work: Callable[[pkcs11.Session], _T]) -> _T:
        """What `work` gives with a session in which the user is logged in; tried twice where it was lost.

        Raises: ConfigurationError, which says what to do; UnavailableError where the token fails twice.
        """
        if self._process != os.getpid():  # the lock may be held by a thread that this process lacks
            self._lock, self._process = RLock(), os.getpid()
            self._drop()
        with self._lock:
            try:
                return work(self._opened())
            except _NotShownError:
                self._drop()
            except failures.PKCS11Error as error:
                # The bare class stands for codes without one of their own, as where the library was ended.
                if not isinstance(error, _LOST) and type(error) is not failures.PKCS11Error:
                    name = type(error).__name__
                    raise UnavailableError(f"The token {self.uri.token} refused ({name}).") from error
                self._drop()
            try:
                return work(self._opened())
            except failures.PKCS11Error as error:
                self._drop()
                raise UnavailableError(
                    f"The token {self.uri.token} failed twice ({type(error).__name__}).",
                    hint="Is it connected, and its service running?",
                ) from error

    def create(self, work: Callable[[pkcs11.Session], _T]) -> _T:
        """What `work` gives with a session that may write. Raises: as `use`; ConfigurationError."""

        def write(session: pkcs11.Session) -> _T:
            try:
                with session.token.open(rw=True) as writing:
                    return work(writing)
            except (failures.TokenWriteProtected, failures.SessionReadOnly) as error:
                raise ConfigurationError(f"The token {self.uri.token} can't be written to.") from error

        return self.use(write)

    def mechanisms(self) -> frozenset[pkcs11.Mechanism]:
        """What the token can do."""
        return frozenset(self.use(lambda session: session.token.slot.get_mechanisms()))

    def _opened(self) -> pkcs11.Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    def _open(self) -> pkcs11.Session:
        uri = self.uri
        token = self._token()
        try:
            return token.open(user_pin=self._pin())
        except failures.UserAlreadyLoggedIn:
            return token.open()  # the whole process is
        except failures.PinLocked:
            raise ConfigurationError(
                f"The PIN of the token {uri.token} is locked after wrong ones.",
                hint="Its security officer unlocks it.",
            ) from None
        except (failures.PinIncorrect, failures.PinInvalid, failures.PinLenRange, failures.PinExpired):
            raise ConfigurationError(
                f"The PIN of the token {uri.token} is wrong or has expired.",
                hint=f"Put it into {uri.pin_source or 'LINEAGE_KEYS_PIN_FILE'} before starting again: a few"
                " wrong ones lock the token.",
            ) from None
        except failures.UserPinNotInitialized:
            raise ConfigurationError(
                f"The token {uri.token} has no user PIN yet.", hint="Its security officer sets one."
            ) from None

    def _token(self) -> pkcs11.Token:
        uri = self.uri
        wanted = f"the token {uri.token}" + (f" with the serial number {uri.serial}" if uri.serial else "")
        try:
            library = pkcs11.lib(uri.module)
            serial = uri.serial.encode() or None
            return library.get_token(token_label=uri.token, token_serial=serial)
        except failures.NoSuchToken:
            there = sorted({token.label for token in library.get_tokens()})
            raise _NotShownError(
                f"{uri.module} does not show {wanted}.",
                hint=f"It shows {', '.join(there) or 'no token'}. Is it connected, and may this user see it?",
            ) from None
        except failures.MultipleTokensReturned:
            raise ConfigurationError(
                f"{uri.module} shows several tokens {uri.token}.",
                hint="Say which with serial= in LINEAGE_KEYS.",
            ) from None
        except RuntimeError as error:  # what the library's loader says
            raise ConfigurationError(
                f"The PKCS#11 library {uri.module} can't be loaded: {error}.",
                hint="Install it, or correct module-path in LINEAGE_KEYS.",
            ) from None

    def _pin(self) -> str:
        source = self.uri.pin_source
        if source is None:
            return self.uri.pin
        try:
            with source.open(encoding="utf-8") as file:
                return file.read(MAX_PIN_BYTES).rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(
                f"The PIN of the token {self.uri.token} can't be read from {source}, its pin-source."
            ) from None

    def _drop(self) -> None:
        """Forget the session, and let the library look for its tokens again."""
        self._session = None
        try:
            pkcs11.lib(self.uri.module).finalize()
        except (failures.PKCS11Error, RuntimeError):
            return  # it is to be loaded anew in any case


_sessions: dict[TokenUri, TokenSession] = {}


def session(uri: TokenUri) -> TokenSession:
    """This process's session with a token; a login is the whole process's."""
    return _sessions.setdefault(uri, TokenSession(uri))
