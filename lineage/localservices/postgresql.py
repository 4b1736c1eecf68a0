"""A PostgreSQL cluster of its own beside whatever this machine runs: `start(directory)`.

Owns: `cluster/` in the folder, with the data and the passwords of the superuser `postgres` and of the role
`lineage`, which owns the database `lineage` and may make others. Durable as in production (fsync, synchronous
commit). PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.errors import UnavailableError
from lineage.localservices.service import CALL_SECONDS, LOOPBACK, Launch, LocalService, secret

if TYPE_CHECKING:
    import psycopg

NAME = "lineage"
"""Of the role and of the database."""
PROGRAMS = Path("/usr/lib/postgresql")
"""Debian keeps each version's programs here, off the PATH."""
INIT_SECONDS = 120
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # Making a file of the write-ahead log takes 50 ms of a commit, using one again nothing; and the graph
    # touches many pages, each of which is logged whole once after a checkpoint.
    "min_wal_size": "1GB",
    "wal_compression": "lz4",
    "log_timezone": "UTC",
}


def start(directory: Path, *, port: int | None = None) -> LocalService:
    """Start the cluster of this folder, made at the first time; returns when it is ready.

    Raises:
        UnavailableError: PostgreSQL is not installed or does not start.
        ConflictError: another process serves this folder or port.
    """
    service = Postgresql(directory, port)
    service.start()
    return service


class Postgresql(LocalService):
    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": a plain SIGTERM would wait for every client to leave

    @property
    def _cluster(self) -> Path:
        return self.directory / "cluster"

    @property
    def _password_file(self) -> Path:
        return self._cluster / "password"

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}:{secret(self._password_file)}@{LOOPBACK}:{self.port}/{NAME}"

    def _prepare(self) -> None:
        programs()
        if (self._cluster / "data" / "PG_VERSION").exists():
            return
        shutil.rmtree(self._cluster / "data", ignore_errors=True)  # of an initdb that was interrupted
        self._cluster.mkdir(mode=0o700, exist_ok=True)
        for path in (self._password_file, self._cluster / "superuser-password"):
            secret(path)
        user, group = _unprivileged()
        if user is not None and group is not None:
            for path in (self._cluster, self._cluster / "superuser-password"):
                os.chown(path, user, group)
        self._make_cluster()

    def _make_cluster(self) -> None:
        with self._reachable() as (cluster, descriptor):
            user, group = _unprivileged()
            done = subprocess.run(  # noqa: S603 found by this package
                [
                    str(programs() / "initdb"),
                    *("--username=postgres", "--locale=C.UTF-8", "--encoding=UTF8"),
                    *("--auth=scram-sha-256", f"--pwfile={cluster}/superuser-password"),
                    f"--pgdata={cluster}/data",
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=INIT_SECONDS,
                cwd="/",
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                pass_fds=(descriptor,),
            )
        if done.returncode:
            raise UnavailableError(f"initdb failed: {done.stderr.strip()}")

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        with self._reachable() as (cluster, descriptor):
            options = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
            user, group = _unprivileged()
            yield Launch(
                [str(programs() / "postgres"), "-D", f"{cluster}/data", *options],
                user=user,
                group=group,
                files=(descriptor,),
            )

    @contextmanager
    def _reachable(self) -> Iterator[tuple[str, int]]:
        """A path of the cluster for a process that inherits the descriptor.

        Another user may not pass through the folders above, which are ours alone; through a folder that it
        has inherited it may.
        """
        descriptor = os.open(self._cluster, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            as_other = _unprivileged()[0] is not None
            yield (f"/proc/self/fd/{descriptor}" if as_other else str(self._cluster)), descriptor
        finally:
            os.close(descriptor)

    def _answers(self) -> bool:
        import psycopg

        try:
            with closing(self._connect("postgres", "superuser-password", "postgres")) as connection:
                _make_role(connection, secret(self._password_file))
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, user: str, password: str, database: str) -> psycopg.Connection:
        import psycopg

        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=user,
            password=secret(self._cluster / password),
            dbname=database,
            connect_timeout=int(CALL_SECONDS),
            autocommit=True,
        )


def _make_role(connection: psycopg.Connection, password: str) -> None:
    """Make the role and its database, each where it isn't there."""
    from psycopg import sql

    name = sql.Identifier(NAME)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
        role = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
        connection.execute(role.format(name, sql.Literal(password)))
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


def programs() -> Path:
    """The folder of the newest PostgreSQL's programs.

    Raises: UnavailableError where none is installed.
    """
    versions = [path for path in PROGRAMS.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    raise UnavailableError("PostgreSQL is not installed.", hint="Debian: apt-get install postgresql")


def _unprivileged() -> tuple[int | None, int | None]:
    """The user and group to run as: None where we are not root."""
    if os.geteuid() != 0:
        return None, None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise UnavailableError("PostgreSQL does not run as root, and there is no user postgres or nobody.")
