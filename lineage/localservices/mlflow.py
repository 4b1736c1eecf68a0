"""An MLflow server of its own: `start(directory)`. Runs and files stay in the folder, for the next start."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from lineage.errors import UnavailableError
from lineage.localservices.service import (
    CALL_SECONDS,
    LOOPBACK,
    Launch,
    LocalService,
    secret,
    write_private,
)

ADMIN = "admin"


def start(directory: Path, *, port: int | None = None, auth: bool = False) -> Mlflow:
    """Start the MLflow server of this folder; returns when it answers. `auth`: it wants user and password.

    Raises:
        UnavailableError: MLflow is not installed or does not start.
        ConflictError: another process serves this folder or port.
    """
    service = Mlflow(directory, port, auth=auth)
    service.start()
    return service


class Mlflow(LocalService):
    name = "MLflow"

    def __init__(self, directory: Path, port: int | None = None, *, auth: bool = False) -> None:
        super().__init__(directory, port)
        self.auth = auth

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    @property
    def password(self) -> str:
        """Of `ADMIN`, where it wants one."""
        return secret(self._password_file)

    @property
    def url(self) -> str:
        """Without user and password: sources keep theirs apart."""
        return f"http://{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        try:  # without importing it, which takes seconds; mlflow-skinny has no server
            importlib.metadata.version("mlflow")
        except importlib.metadata.PackageNotFoundError as error:
            hint = "pip install 'mlflow>=3.17,<3.18'"
            raise UnavailableError("MLflow is not installed.", hint=hint) from error
        if self.auth:
            write_private(
                self.directory / "auth.ini",
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{self.directory}/auth.db\n"
                f"admin_username = {ADMIN}\nadmin_password = {self.password}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
            )

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        settings = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            # Its background jobs are four more processes, for features that nobody uses here.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "HOME": str(self.directory),
        }
        if self.auth:
            settings["MLFLOW_AUTH_CONFIG_PATH"] = str(self.directory / "auth.ini")
            settings["MLFLOW_FLASK_SERVER_SECRET_KEY"] = self.password
        yield Launch(
            [
                *(sys.executable, "-m", "lineage.localservices.mlflow_process", "server"),
                *("--host", LOOPBACK, "--port", str(self.port)),
                *("--backend-store-uri", f"sqlite:///{self.directory}/mlflow.db", "--workers", "1"),
                *("--artifacts-destination", str(self.directory / "artifacts")),
                *(("--app-name", "basic-auth") if self.auth else ()),
            ],
            environment=settings,
        )

    def _answers(self) -> bool:
        try:  # where users sign in, even /version wants a password
            with urllib3.PoolManager(retries=False, timeout=CALL_SECONDS) as http:
                return bool(http.request("GET", f"{self.url}/health").status == 200)
        except urllib3.exceptions.HTTPError:
            return False
