"""What frameworks would load because it is installed, and nothing here asks them for.

Owns: that a web process starts without it. Django's fields for PostgreSQL bring Psycopg, 9 MB, to processes
on SQLite; the others are for pages, schemas and templates that we don't have. Does not own: what a web
process may load, which `tests/operation/test_web_imports.py` says.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

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
_WHO_LOOKS = ("rest_framework.compat", "django.test.utils")
"""The second because the schema generator imports Django's client for tests."""


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
