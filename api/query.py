"""Query parameters, read strictly: a misspelt filter is an error, never a wider answer."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.request import Request

from lineage.errors import MalformedError
from lineage.services import as_of
from lineage.services.as_of import AsOf

MAX_PAGE = 1000
MAX_TEXTS = 50


class Query:
    """The parameters of one request; a blank value counts as absent.

    Raises: MalformedError for a parameter that the call does not have, or one given twice that is single.
    """

    def __init__(self, request: Request, single: Iterable[str] = (), repeated: Iterable[str] = ()) -> None:
        self.parameters = request._request.GET
        known = {*single, *repeated}
        for name in self.parameters:
            if name not in known:
                raise MalformedError(
                    f"There is no parameter {name[:100]!r}.",
                    where=name[:100],
                    hint="Parameters here: " + (", ".join(sorted(known)) or "none") + ".",
                )
            if name not in set(repeated) and len(self.parameters.getlist(name)) > 1:
                raise MalformedError(f"The parameter {name!r} is given more than once.", where=name)

    def text(self, name: str) -> str | None:
        return self.parameters.get(name) or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise MalformedError(f"The parameter {name!r} is missing.", where=name)
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in a range, ends included."""
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and least <= int(value) <= most):
            raise MalformedError(f"{name!r} is a whole number from {least} to {most}.", where=name)
        return int(value)

    def choice(self, name: str, options: Iterable[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in (known := tuple(options)):
            raise MalformedError(f"{name!r} is one of {', '.join(known)}; not {value[:100]!r}.", where=name)
        return value

    def choices(self, name: str, options: Iterable[str]) -> tuple[str, ...]:
        """A parameter that may be repeated, or hold several values separated by commas."""
        known = tuple(options)
        values = [part for item in self.parameters.getlist(name) for part in item.split(",") if part]
        for value in values:
            if value not in known:
                raise MalformedError(
                    f"{name!r} is one of {', '.join(known)}; not {value[:100]!r}.", where=name
                )
        return tuple(dict.fromkeys(values))

    def texts(self, name: str, most: int = 200) -> tuple[str, ...]:
        """A parameter that may be repeated, of any text of at most so many characters."""
        values = tuple(dict.fromkeys(value for value in self.parameters.getlist(name) if value))
        if any(len(value) > most for value in values) or len(values) > MAX_TEXTS:
            raise MalformedError(
                f"{name!r} is given at most {MAX_TEXTS} times, with {most} characters at most.", where=name
            )
        return values

    def as_of(self, name: str = "as_of") -> AsOf:
        """The moment that the parameter names, now where it is absent. Raises: MalformedError."""
        return as_of.resolve(self.text(name))

    def limit(self, default: int = 100) -> int:
        return self.number("limit", default, 1, MAX_PAGE)
