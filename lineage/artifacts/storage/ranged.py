"""A file at a server, read by HTTP ranges: in order over one answer, anywhere by further ones.

Owns: that all parts are of one version of the file; reading on after a cut. Does not own: addresses and
credentials (`Remote`, one for each service).

Versions are known by a strong ETag, else by Last-Modified, else not at all: then parts of several answers
can't be known to belong together, and only a file that is read from its start may be begun again, if its
beginning is still the same.
Source: RFC 9110, sections 8.8, 13.1, 14.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import within
from lineage.artifacts.storage import web
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

AHEAD_BYTES = 1 << 18
"""Read at least, where a part is asked for: parsers ask for many small ones after each other."""
SMALL_BYTES = 8 << 20
"""A whole object of one answer is of one version, where a store says so: it is not asked again."""
CUTS_IN_PLACE = 4
"""Cuts without a byte between them, after which a file is given up."""
MAX_CUTS = 100
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """What a server says by which these bytes are known again. `size`: bytes, None: not told."""

    size: int | None
    etag: str = ""
    modified: str = ""

    @property
    def pinned(self) -> bool:
        return self._strong or bool(self.modified)

    @property
    def _strong(self) -> bool:
        return bool(self.etag) and not self.etag.startswith("W/")

    @property
    def conditions(self) -> dict[str, str]:
        """Headers with which the server gives this version or none."""
        if self._strong:
            return {"If-Match": self.etag}
        return {"If-Unmodified-Since": self.modified} if self.modified else {}

    def same(self, other: Version) -> bool:
        """Whether nothing that both tell differs."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        if self.etag and other.etag:
            return self.etag == other.etag
        return not (self.modified and other.modified) or self.modified == other.modified


class Remote(Protocol):
    """One file at a server."""

    @property
    def name(self) -> str:
        """For people, without secrets."""
        ...

    @property
    def fixed(self) -> bool:
        """Whether its address can only ever give these bytes: it has their digest, or a commit."""
        ...

    @property
    def atomic(self) -> bool:
        """Whether one answer is always of one version, whatever is written meanwhile, and just as it was
        stored: a Content-Encoding is then what was said when it was stored."""
        ...

    def version(self, answer: BaseHTTPResponse) -> Version:
        """What an answer's head says of the whole file."""
        ...

    def head(self) -> Version:
        """What is there now. Raises: GoneError, MissingError, InconclusiveError."""
        ...

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """An answer with status 200, 206, 412 or 416. Raises: GoneError, MissingError, InconclusiveError."""
        ...


class _CutError(Exception):
    """The connection ended before the answer did."""


class RangedBytes:
    """A `ByteSource`. `size`: as a listing says; None: the server is asked."""

    def __init__(self, remote: Remote, size: int | None = None) -> None:
        self.notes: list[str] = []
        self._remote = remote
        self._version: Version | None = None
        if size is None:
            self._version = remote.head()
            size = self._version.size
        if size is None:
            raise InconclusiveError(f"The server does not say how many bytes {remote.name} has.")
        self._size = size
        self._answer: BaseHTTPResponse | None = None
        self._read = 0
        self._begun = 0  # crc32 of what was read, where only that tells whether it is still the same
        self._answers = 0
        self._cuts = self._in_place = 0
        self._waited = 0.0
        self._received = 0
        self._ahead, self._ahead_at = b"", 0

    @property
    def size(self) -> int:
        return self._size

    def readinto(self, view: memoryview) -> int:
        wanted = view[: self._size - self._read]
        filled = 0
        while filled < len(wanted):
            try:
                if self._answer is None:
                    self._answer = self._begin()
                count = self._fill(self._answer, wanted[filled:])
            except _CutError:
                self._leave()
                self._cut(self._read)
                continue
            if not self._known:
                self._begun = zlib.crc32(wanted[filled : filled + count], self._begun)
            filled += count
            self._read += count
        if self._answer is not None and self._read == self._size:
            self._expect_end(self._answer)
            self._leave()
        return filled

    def read_at(self, offset: int, length: int) -> bytes:
        within(offset, length, self._size)
        at = offset - self._ahead_at
        if not (at >= 0 and at + length <= len(self._ahead)):
            stop = min(self._size, offset + max(length, AHEAD_BYTES))
            found = self._part(offset, stop)
            if len(found) > AHEAD_BYTES:
                return bytes(memoryview(found)[:length]) if length < len(found) else found
            self._ahead, self._ahead_at, at = found, offset, 0
        return self._ahead[at : at + length]

    def finish(self) -> None:
        once = self._answers == 1 and self._size <= SMALL_BYTES and self._remote.atomic
        if self._remote.fixed or (once and self._read == self._size):
            return
        self._leave()
        now = self._remote.head()
        if not now.same(self._version or Version(self._size)):
            raise self._changed()

    def close(self) -> None:
        self._leave()

    # How

    @property
    def _known(self) -> bool:
        """Whether another answer can be known to be of the same version."""
        return self._remote.fixed or (self._version is not None and self._version.pinned)

    def _begin(self) -> BaseHTTPResponse:
        """The answer that goes on from where we are."""
        at = self._read
        if at == 0 or self._known:
            return self._ask(at, None)
        answer = self._ask(0, None)
        try:
            if self._skip(answer, at) != self._begun:
                raise self._changed()
        except BaseException:
            leave(answer)
            raise
        return answer

    def _part(self, start: int, stop: int) -> bytes:
        if self._known:
            self._leave()  # one connection for each file: they may be few
        found = bytearray(stop - start)
        view, at = memoryview(found), start
        while at < stop:
            if self._answers and not self._known:
                raise InconclusiveError(
                    f"The server tells neither ETag nor Last-Modified of {self._remote.name}, so parts of it "
                    "can't be known to belong together."
                )
            answer = None
            try:
                answer = self._ask(at, stop)
                while at < stop:
                    at += self._fill(answer, view[at - start :])
            except _CutError:
                self._cut(at)
            finally:
                if answer is not None:
                    leave(answer)
        return bytes(found)

    def _ask(self, start: int, stop: int | None) -> BaseHTTPResponse:
        """An answer whose next byte is the one at `start`."""
        headers = dict(self._version.conditions) if self._version and not self._remote.fixed else {}
        ranged = start > 0 or (stop is not None and stop < self._size)
        if ranged:
            headers["Range"] = f"bytes={start}-{self._size - 1 if stop is None else stop - 1}"
        answer = self._remote.get(headers)
        try:
            self._take(answer)
            if answer.status == 200 and start:
                self._skip(answer, start)
            elif answer.status == 206 and not (ranged and self._range(answer) == start):
                raise InconclusiveError(f"The server gives other parts of {self._remote.name} than asked.")
        except BaseException:
            leave(answer)
            raise
        self._answers += 1
        return answer

    def _take(self, answer: BaseHTTPResponse) -> None:
        """Whether it is an answer of the version that we read; that of the first one is."""
        if answer.status in {412, 416}:
            raise self._changed()
        encoding = answer.headers.get("Content-Encoding", "").lower()
        if encoding not in {"", "identity"} and not self._remote.atomic:
            raise InconclusiveError(
                f"The server sends {self._remote.name} compressed ({encoding}), not as it is."
            )
        found = self._remote.version(answer)
        if self._version is None:
            self._version = found
        same = found.same(self._version) and found.size in {None, self._size}
        if not same and not (self._remote.fixed and found.size in {None, self._size}):
            raise self._changed()

    def _range(self, answer: BaseHTTPResponse) -> int | None:
        told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        return int(told[1]) if told else None

    def _fill(self, answer: BaseHTTPResponse, view: memoryview) -> int:
        """The next bytes of an answer, at least one. Raises: _CutError."""
        began = time.monotonic()
        try:
            # As it was sent: stored bytes are hashed as they are, and nothing unfolds to more than was sent.
            part = answer.read1(min(len(view), web.PART_BYTES), decode_content=False)
        except (HTTPError, OSError) as error:
            raise _CutError from error
        self._waited += time.monotonic() - began
        self._received += len(part)
        if self._waited > web.SLOW_SECONDS + self._received / web.SLOWEST_BYTES_A_SECOND:
            raise InconclusiveError(f"{self._remote.name} comes too slowly.")
        if not part:
            raise _CutError
        view[: len(part)] = part
        self._in_place = 0
        return len(part)

    def _skip(self, answer: BaseHTTPResponse, count: int) -> int:
        """Pass over `count` bytes, for a server that gives no ranges; their crc32."""
        buffer = memoryview(bytearray(min(count, web.PART_BYTES)))
        check, left = 0, count
        while left:
            got = self._fill(answer, buffer[:left])
            check = zlib.crc32(buffer[:got], check)
            left -= got
        return check

    def _expect_end(self, answer: BaseHTTPResponse) -> None:
        """Raises: InconclusiveError where more comes than there should be."""
        if answer.headers.get("Content-Length") is None:
            try:
                if answer.read1(1, decode_content=False):
                    raise self._changed()
            except (HTTPError, OSError) as error:
                raise InconclusiveError(f"The server does not say where {self._remote.name} ends.") from error

    def _cut(self, at: int) -> None:
        self._cuts += 1
        self._in_place += 1
        if self._in_place >= CUTS_IN_PLACE or self._cuts > MAX_CUTS:
            raise InconclusiveError(
                f"The connection was cut {self._cuts} times while {self._remote.name} was read, last at byte "
                f"{at:,} of {self._size:,}."
            )
        self.notes.append(f"The connection was cut at byte {at:,} of {self._size:,}, and read on from there.")
        time.sleep(web.BACKOFF_SECONDS * 2 ** (self._in_place - 1))

    def _changed(self) -> InconclusiveError:
        return InconclusiveError(f"{self._remote.name} changed while it was read.")

    def _leave(self) -> None:
        if self._answer is not None:
            leave(self._answer)
            self._answer = None


def version_of(answer: BaseHTTPResponse) -> Version:
    """As most servers say it."""
    size: int | None = None
    if answer.status == 206:
        told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        size = int(told[3]) if told else None
    elif answer.status == 416:  # the length there is that of what is said
        size = 0 if answer.headers.get("Content-Range") == "bytes */0" else None
    else:
        length = answer.headers.get("Content-Length", "")
        size = int(length) if re.fullmatch(r"[0-9]{1,19}", length, re.ASCII) else None
    return Version(size, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
