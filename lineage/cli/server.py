"""What the commands that work on the server's database share: starting Django, wording its failures.

Owns: the one place where a command imports Django. Nothing here runs at import, so a thin installation
can list these commands and say in one line what they need.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lineage import loading
from lineage.errors import ConfigurationError, UnavailableError


def require() -> None:
    """Raises ConfigurationError, which says what to install, where the server part is not there."""
    if importlib.util.find_spec("django") is None:
        raise ConfigurationError(
            "This command works on the server's database, and the server part is not installed here.",
            hint="Install it with: pip install 'lineage[server]'",
        )


def start_django() -> None:
    """Make Django ready, with the settings of `LINEAGE_HOME/environment` and the environment.

    Raises: ConfigurationError where Django isn't installed, or a setting is wrong.
    """
    require()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    import django

    with loading.unsearched():
        django.setup()


@contextmanager
def database_errors() -> Iterator[None]:
    """Word what the database says. Django must be ready.

    Raises: UnavailableError where the database can't be used right now.
    """
    from django.db import Error

    try:
        yield
    except Error as error:
        raise UnavailableError(f"The database can't be used: {error}.") from error


@contextmanager
def database() -> Iterator[None]:
    """Django ready, the tables there; a database error becomes one line.

    Raises:
        ConfigurationError: the database has not been set up.
        UnavailableError: the database can't be used right now.
    """
    start_django()
    with database_errors():
        if pending_migrations():
            raise ConfigurationError(
                "The database has not been set up for this version.",
                hint="Run `lineage up`, or `manage.py migrate`.",
            )
        yield


@contextmanager
def log_ready() -> Iterator[None]:
    """As `database`, with the log begun and the platform's own keys there."""
    with database():
        from lineage.services import bootstrap

        bootstrap.ensure()
        yield


def pending_migrations() -> list[str]:
    """Names of the migrations that are still to be applied. Django must be ready."""
    from lineage.services import migrations

    return migrations.pending()


def person() -> str:
    """Who acts at the command line, as decisions name them: `os:<login>`."""
    try:
        return f"os:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in a container
        return f"os:{os.getuid()}"
