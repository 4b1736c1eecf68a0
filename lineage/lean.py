"""What frameworks would load because it is installed, and nothing here asks them for, or hardly ever.

Owns: that a web process starts without it. Django's fields for PostgreSQL bring Psycopg, 9 MB, to processes
on SQLite; the others are for pages, schemas and templates that we don't have. What few requests need is
loaded by the first of them. Does not own: what a web process may load, which
`tests/operation/test_web_imports.py` says.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, cast

UNUSED = (
    "coreapi",
    "coreschema",
    "django.contrib.postgres.fields",
    "inflection",
    "jinja2",
    "markdown",
    "pygments",
    "requests",
    "uritemplate",
    "yaml",
)
"""Optional modules of those who look, each of which does without one that can't be imported."""
_WHO_LOOKS = ("rest_framework.compat",)

LATER: Mapping[str, tuple[str, ...]] = {
    # For messages, which workers send.
    "django.core.mail": (
        "EmailMessage",
        "EmailMultiAlternatives",
        "get_connection",
        "mail_managers",
        "send_mail",
    ),
    # For the OpenAPI document: Django's admin with its forms, and its client for tests.
    "django.contrib.admindocs.views": ("simplify_regex",),
    "rest_framework.test": ("APIRequestFactory",),
    # For passkeys: all public suffixes of names, and OpenSSL once more.
    "fido2.server": ("Fido2Server",),
    "fido2.utils": ("websafe_decode",),
    "fido2.webauthn": (
        "AttestedCredentialData",
        "AuthenticationResponse",
        "AuthenticatorData",
        "PublicKeyCredentialRpEntity",
        "PublicKeyCredentialUserEntity",
        "RegistrationResponse",
        "ResidentKeyRequirement",
        "UserVerificationRequirement",
    ),
    # The same client once more for event loops; of it the other one imports a module that counts.
    "redis.asyncio": (),
    # For migrations written in SQL.
    "sqlparse": (),
}
"""Modules that few requests need, 8 MB, and the names that others import from them: functions, and classes
that are called or asked for what they have, neither inherited from nor caught. A module without names is
imported as a whole."""


def load_frameworks() -> None:
    """Let frameworks look for what is installed, once in a process, while these seem not to be.

    Whoever imports one of them later gets it. Call it before anything else loads the frameworks, and before
    there are threads.
    """
    with without(UNUSED):
        for name in _WHO_LOOKS:
            importlib.import_module(name)


@contextmanager
def without(names: Iterable[str]) -> Iterator[None]:
    """Let these modules seem not to be installed within the block, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    # A module that is None can't be imported. Source: Python's import system, "The module cache".
    sys.modules.update(dict.fromkeys(hidden, cast("ModuleType", None)))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def later(modules: Mapping[str, tuple[str, ...]]) -> Iterator[None]:
    """Let those who import these modules within the block have something that loads them when it is used.

    Other names of them can be imported as ever, which loads them at once. Call it before there are threads;
    who uses them later may be several.
    """
    put = {name: _Module(name, names) for name, names in modules.items() if name not in sys.modules}
    sys.modules.update(put)
    try:
        yield
    finally:
        for name, module in put.items():
            if sys.modules.get(name) is module:
                _forget(name)


class _Module(ModuleType):
    """In place of a module. What is asked of it is the module's, which is loaded for that; but the modules
    within one without names are found without loading it."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(name)
        self.__dict__.update({each: _Name(name, each) for each in names})

    def __getattr__(self, name: str) -> Any:
        if name != "__path__":
            return getattr(_load(self.__name__), name)
        # Who imports a name or a module of it asks first whether this is a package, which would load it.
        if any(isinstance(each, _Name) for each in self.__dict__.values()):
            raise AttributeError(name)
        return _folders(self.__name__)


class _Name:
    """In place of a function or class of a module: to be called, or asked for what it has."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return getattr(_load(self._module), self._name)(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_load(self._module), self._name), name)


def _folders(package: str) -> list[str]:
    """Raises: AttributeError for a module that is no package."""
    outer = package.rpartition(".")[0]
    found = PathFinder.find_spec(package, importlib.import_module(outer).__path__ if outer else None)
    if found is None or found.submodule_search_locations is None:
        raise AttributeError("__path__")
    return found.submodule_search_locations


def _load(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _Module):
        _forget(name)
    return importlib.import_module(name)


def _forget(name: str) -> None:
    """And what was found within it: the real one is to load that itself, or it would not have it by name."""
    for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[each]
