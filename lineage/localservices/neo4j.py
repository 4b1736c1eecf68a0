"""A Neo4j Community of its own, in Java from Maven's jars: `start(directory)`.

Owns: `home/` in the folder, its configuration, and that the first password `neo4j` is changed before anybody
is told that the service is ready. Bolt on the loopback address and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from lineage import bolt_driver
from lineage.errors import UnavailableError
from lineage.localservices import neo4j_classes, neo4j_jars
from lineage.localservices.service import (
    CALL_SECONDS,
    LOOPBACK,
    Launch,
    LocalService,
    secret,
    write_private,
)

USER = "neo4j"
FIRST_PASSWORD = "neo4j"  # noqa: S105 every new Neo4j's, good for nothing but changing it
HEAP = "1g"
PAGE_CACHE = "512m"
_OPENED = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
_ENTRY_POINT = "org.neo4j.server.CommunityEntryPoint"


def start(
    directory: Path,
    *,
    port: int | None = None,
    heap: str = HEAP,
    page_cache: str = PAGE_CACHE,
    more: Mapping[str, str] = MappingProxyType({}),
) -> LocalService:
    """Start the Neo4j of this folder; returns when it answers. `heap` and `page_cache` as Java writes sizes.

    `more` are settings of its configuration file beside those that it always has.

    Raises:
        UnavailableError: Java or the jars are missing, or it does not start.
        ConflictError: another process serves this folder or port.
    """
    service = Neo4j(directory, port, heap, page_cache, more)
    service.start()
    return service


class Neo4j(LocalService):
    name = "Neo4j"

    def __init__(
        self,
        directory: Path,
        port: int | None,
        heap: str,
        page_cache: str,
        more: Mapping[str, str] = MappingProxyType({}),
        java: tuple[str, ...] | None = None,
    ) -> None:
        """`java`: further arguments of Java; None: those that let it start from its archive of classes."""
        super().__init__(directory, port)
        self._more = more
        self._java = java
        self._heap = heap
        self._page_cache = page_cache

    @property
    def _home(self) -> Path:
        return self.directory / "home"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    @property
    def _password(self) -> str:
        return secret(self._password_file)

    @property
    def url(self) -> str:
        return f"bolt://{USER}:{self._password}@{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        program()
        # Java reads a class path this long from a file.
        write_private(self.directory / "java-arguments", f'-cp "{neo4j_jars.class_path()}"\n')
        (self._home / "conf").mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        write_private(self._home / "conf" / "neo4j.conf", self._configuration())
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        java = neo4j_classes.arguments(program()) if self._java is None else self._java
        yield Launch(
            [
                # Out of memory it is of no use any more: whoever watches over it starts it again.
                *(program(), f"-Xmx{self._heap}", "-XX:+ExitOnOutOfMemoryError", *java, *opened),
                *(f"@{self.directory / 'java-arguments'}", _ENTRY_POINT),
                *(f"--home-dir={self._home}", f"--config-dir={self._home / 'conf'}", "--console-mode"),
            ]
        )

    def _configuration(self) -> str:
        settings = {
            "server.bolt.listen_address": f"{LOOPBACK}:{self.port}",
            "server.bolt.advertised_address": f"{LOOPBACK}:{self.port}",
            "server.http.enabled": "false",
            "server.https.enabled": "false",
            "dbms.security.auth_enabled": "true",
            "dbms.usage_report.enabled": "false",
            # Tells clients to give up a connection on which nothing came for twice this time; the server says
            # something that often while it works. Without it a frozen server holds callers for two minutes.
            "server.bolt.connection_keep_alive": "5s",
            # Otherwise every stop waits ten seconds for clients that could still come.
            "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
            "server.memory.pagecache.size": self._page_cache,
            **self._more,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        """Whether our password opens it, after changing the first one where it has not been."""
        bolt_driver.load()
        from neo4j.exceptions import AuthError, DriverError, Neo4jError, TransientError

        try:
            if not self.served_before:
                self._change_first_password()
            self._ask("neo4j", self._password, "RETURN 1")
        except AuthError as error:
            raise UnavailableError(
                f"Neo4j in {self.directory} has another password than its file."
            ) from error
        except (DriverError, TransientError, Neo4jError):
            return False  # not up yet; the log has more to say if it never is
        return True

    def _change_first_password(self) -> None:
        from neo4j.exceptions import AuthError

        with suppress(
            AuthError
        ):  # changed by a start that did not get to the end of this; ours is tried next
            self._ask(
                "system",
                FIRST_PASSWORD,
                "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
                old=FIRST_PASSWORD,
                new=self._password,
            )

    def ask(self, query: str) -> None:
        """Run one statement on its database. Raises what the driver raises."""
        self._ask("neo4j", self._password, query)

    def _ask(self, database: str, password: str, query: str, **parameters: str) -> None:
        import neo4j

        with neo4j.GraphDatabase.driver(
            f"bolt://{LOOPBACK}:{self.port}",
            auth=(USER, password),
            connection_timeout=CALL_SECONDS,
            connection_acquisition_timeout=CALL_SECONDS,
            max_transaction_retry_time=0,
        ) as driver:
            driver.execute_query(query, parameters, database_=database)


def program() -> str:
    """The path of Java. Raises UnavailableError where it is not installed."""
    found = shutil.which("java")
    if not found:
        raise UnavailableError(
            "Java, which Neo4j needs, is not installed.",
            hint="Debian: apt-get install openjdk-17-jre-headless",
        )
    return found
