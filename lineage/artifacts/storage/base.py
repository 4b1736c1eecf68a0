"""What every storage can do, and what can be wrong with one.

Owns: the port, how a storage is reached, a file found in one. Does not own: which storages there are
(`lineage.services`), what is computed of bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError


class GoneError(InconclusiveError):
    """The whole storage can't be reached: its mount, bucket, host or credential. Says nothing of any file."""


class MissingError(InconclusiveError):
    """The storage is there, and this one file or folder is not."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a storage.

    `kind`: of a `Scheme`. `uri`: what its locations begin with, such as `s3://bucket/prefix`. `root`: the
    folder of a file storage, as configured. `private_networks`: CIDRs in which its servers may be, beside
    public addresses. `insecure_http`: the endpoint or registry speaks HTTP without TLS.
    """

    kind: str
    uri: str
    endpoint: str = ""
    region: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_pem: str = ""
    private_networks: tuple[str, ...] = ()
    insecure_http: bool = False
    root: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A file at a location.

    `path`: raw bytes, relative to the folder, with `/`; empty for a single file. `size`: bytes; None: the
    listing does not tell. `opened`: what `Storage.open` of the same storage takes; nobody else's business.
    """

    path: bytes
    size: int | None
    opened: str


class Storage(ABC):
    """One storage, opened; threads may share it. What is inconclusive about one file is InconclusiveError."""

    @abstractmethod
    def probe(self) -> None:
        """Cheap: is it there, and may we read?

        Raises: GoneError; InconclusiveError where its answer is none.
        """

    @abstractmethod
    def item(self, location: str) -> Item:
        """The file at a location.

        Raises: GoneError, MissingError; InconclusiveError for what is no file, or not in this storage.
        """

    @abstractmethod
    def items(self, location: str) -> list[Item]:
        """All files of the folder at a location, in C order of their raw paths, as `artifacts.tree` counts.

        Raises: GoneError; MissingError where there is none; InconclusiveError; TooLargeError.
        """

    @abstractmethod
    def open(self, item: Item) -> ByteSource:
        """Its bytes, for one thread. Raises: GoneError, MissingError, InconclusiveError."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of storage. `schemes`: what its URIs begin with; `needs`: members of `Access` for a form."""

    kind: str
    title: str
    schemes: tuple[str, ...]
    open: Callable[[Access], Storage]
    needs: tuple[str, ...] = ()
