"""compose.yaml: what it says, and that the application runs with exactly the commands and settings in it.

Docker is not needed: services start locally with the secrets that tools/compose_secrets.sh made. Replaced are
hosts, ports and paths alone.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lineage import broker
from lineage.cli import crew
from lineage.config import load
from lineage.localservices import neo4j, neo4j_jars, postgresql, redis
from lineage.localservices.service import LocalService, free_port
from tests import factories
from tests.integration.uptree import until
from tests.server import CHECKOUT, Server
from tests.services import need_all

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
APPLICATION = ("migrate", "web", "worker-graph", "worker-short", "worker-sync", "worker-long", "beat")
OFFICIAL = {"postgres": r"postgres:15\.\d+-bookworm", "redis": r"redis:7\.\d+\.\d+-bookworm"}


def test_which_services_there_are() -> None:
    assert set(SERVICES) == {"postgres", "redis", "neo4j", *APPLICATION}


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_or_gains_anything(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", name == "neo4j") is True
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices", "env_file"} & set(service)


def test_only_the_web_server_is_published_and_on_this_machine_alone() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]
    assert substituted(SERVICES["web"]["ports"]) == ["127.0.0.1:8000:8000"]
    assert COMPOSE["networks"]["services"] == {"internal": True}
    assert [name for name in SERVICES if SERVICES[name]["networks"] != ["services"]] == ["web"]


def test_images_are_pinned_to_what_the_tests_run() -> None:
    for name, pattern in OFFICIAL.items():
        assert re.fullmatch(pattern, SERVICES[name]["image"])
    assert SERVICES["neo4j"]["image"] == f"neo4j:{neo4j_jars.VERSION}-community"
    bases = re.findall(r"^FROM (\S+)", (CHECKOUT / "Dockerfile").read_text(), re.M)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", bases[0])


def test_whatever_is_named_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        for condition in service.get("depends_on", {}).values():
            assert condition["condition"] in {"service_healthy", "service_completed_successfully"}
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (CHECKOUT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]


def test_who_signs_checkpoints_may_write_the_high_water_file() -> None:
    """It is on a volume of its own, which the set-up makes, and which nobody else may write."""
    folder = Path(SERVICES["web"]["environment"]["LINEAGE_HIGH_WATER"]).parent
    modes = {}
    for name in APPLICATION:
        (mounted,) = (each for each in SERVICES[name]["volumes"] if each.startswith("high-water:"))
        _, place, *mode = mounted.split(":")
        assert place == str(folder)
        modes[name] = mode
    assert [name for name, mode in modes.items() if mode != ["ro"]] == ["migrate", "worker-graph"]
    assert str(folder) in (CHECKOUT / "Dockerfile").read_text()


def test_every_server_has_a_healthcheck_and_the_one_that_ends_has_none() -> None:
    assert {name for name in SERVICES if "healthcheck" not in SERVICES[name]} == {"migrate"}
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migrate" else "service_healthy"
            assert condition == {"condition": wanted}, name


def test_every_secret_is_a_file_and_in_no_variable() -> None:
    text = (CHECKOUT / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret|auth|url): *[^\s{/]*[:@][^\s]*@", text)
    for name in APPLICATION:
        settings = SERVICES[name]["environment"]
        by_file = {key: value for key, value in settings.items() if key.endswith("_FILE")}
        assert {value.removeprefix("/run/secrets/") for value in by_file.values()} == set(
            SERVICES[name]["secrets"]
        )


def test_the_processes_are_those_that_lineage_up_starts() -> None:
    config = load({"LINEAGE_HOME": "/nowhere", "LINEAGE_BROKER_URL": "redis://127.0.0.1"})
    for name, command in crew.members(config).items():
        started = command[command.index(sys.executable) + 1 :]
        quiet = started[started.index("-m") :]
        assert SERVICES[name]["command"] == ["python", *quiet]


def test_the_image_leaves_out_what_it_does_not_need() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    named = {line[1:] for line in ignored if line.startswith("!")}
    assert all((CHECKOUT / name).exists() for name in named)
    assert not named & {"secrets", "tests", "var", ".git"}
    dockerfile = (CHECKOUT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", dockerfile, re.M)
    for name in re.findall(r"^COPY (?!--from)(\S+(?: \S+)*) \S+$", dockerfile, re.M):
        assert all(part == "." or part in named for part in name.split())


@pytest.mark.skipif(not shutil.which("docker"), reason="docker is not installed")
def test_docker_compose_accepts_it() -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose plugin")
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    script = CHECKOUT / "tools" / "compose_secrets.sh"
    return subprocess.run([script, folder], capture_output=True, text=True, check=True)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_secrets_are_made_once_agree_and_are_not_printed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    done = secrets(folder)
    made = contents(folder)
    assert {file["file"] for file in COMPOSE["secrets"].values()} <= {f"./secrets/{name}" for name in made}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [value for value in made.values() if value in done.stdout + done.stderr]
    for password in ("database_password", "redis_password", "neo4j_password"):
        holders = [name for name, value in made.items() if made[password] in value]
        assert len(holders) == (2 if password == "database_password" else 3)
    (folder / "broker_url").unlink()
    secrets(folder)
    assert contents(folder) == made


def substituted(value: Any) -> Any:
    """As compose reads `${NAME:-default}` where NAME is not set."""
    if isinstance(value, str):
        return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
    if isinstance(value, dict):
        return {key: substituted(part) for key, part in value.items()}
    return [substituted(part) for part in value] if isinstance(value, list) else value


class Stack:
    """The application's processes, as compose starts them, on local services with the same passwords."""

    def __init__(self, folder: Path) -> None:
        self.home, self.secrets, self.folder = folder / "home", folder / "secrets", folder
        self.port = free_port()
        secrets(self.secrets)
        self.passwords = contents(self.secrets)

    @contextmanager
    def services(self) -> Iterator[None]:
        kinds = {
            "postgres:5432": (postgresql.start, "postgresql/cluster", "database_password"),
            "redis:6379": (redis.start, "redis", "redis_password"),
            "neo4j:7687": (neo4j.start, "neo4j", "neo4j_password"),
        }
        started: list[LocalService] = []
        try:
            for place, (start, kept, secret) in kinds.items():
                (self.folder / kept).mkdir(mode=0o700, parents=True)
                (self.folder / kept / "password").write_text(self.passwords[secret])
                started.append(start(self.folder / kept.partition("/")[0]))
                self._replace(place, f"127.0.0.1:{started[-1].port}")
            yield
        finally:
            for service in started:
                service.stop()

    def _replace(self, place: str, other: str) -> None:
        for path in self.secrets.glob("*_url"):
            text = path.read_text()
            path.unlink()
            path.write_text(text.replace(f"@{place}", f"@{other}"))

    def environment(self, name: str) -> dict[str, str]:
        """What compose sets for a service, on top of what the image sets."""
        replaced = {
            "LINEAGE_HOME": str(self.home),
            "LINEAGE_HIGH_WATER": str(self.folder / "high-water"),
            "LINEAGE_HOST": "127.0.0.1",
            "LINEAGE_PORT": str(self.port),
        }
        settings = {
            key: value.replace("/run/secrets", str(self.secrets))
            for key, value in substituted(SERVICES[name]["environment"]).items()
        }
        assert set(replaced) <= set(settings)
        image = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)}
        return image | settings | replaced

    @contextmanager
    def process(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with open(self.folder / f"{name}.log", "ab") as log:
            running = subprocess.Popen(
                SERVICES[name]["command"],
                env=self.environment(name),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        try:
            yield running
        finally:
            running.terminate()
            assert running.wait(60) in {0, -15}, (self.folder / f"{name}.log").read_text()

    def answers(self) -> bool:
        """Whether the web server takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def healthy(self, name: str) -> bool:
        """What the container's healthcheck says."""
        test = SERVICES[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        done = subprocess.run(
            test[1:], env=self.environment(name), cwd=self.folder, capture_output=True, check=False
        )
        return done.returncode == 0

    def run(self, name: str, *command: str) -> str:
        """`docker compose exec NAME COMMAND…`."""
        done = subprocess.run(
            command, env=self.environment(name), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.mark.service
def test_the_application_runs_with_what_compose_sets(tmp_path: Path) -> None:
    need_all()
    stack = Stack(tmp_path)
    with stack.services():
        stack.run("migrate", *SERVICES["migrate"]["command"])
        stack.run("migrate", *SERVICES["migrate"]["command"])  # an upgrade with nothing to do
        assert "@" in (stack.home / "initial-login").read_text()
        assert not stack.healthy("web")
        with (
            stack.process("web"),
            stack.process("worker-graph"),
            stack.process("worker-short"),
            stack.process("worker-sync"),
            stack.process("worker-long"),
            stack.process("beat"),
        ):
            until(stack.answers, "the web server")  # a healthcheck is a process each time
            until(lambda: stack.healthy("web"), "the web server's healthcheck")
            server = with_token(stack)
            assert attested(server) == 201
            until(lambda: looked_after(server) == set(broker.QUEUES), "the workers' beats")
            workers = ("worker-graph", "worker-short", "worker-sync", "worker-long", "beat")
            until(lambda: all(map(stack.healthy, workers)), "the workers' healthchecks")
    assert leftovers(tmp_path) == []


def with_token(stack: Stack) -> Server:
    """Its web server, with an API key."""
    scopes = [part for scope in ("attest", "read", "operate") for part in ("--scope", scope)]
    token = stack.run("web", "lineage", "tokens", "create", "--name", "tests", *scopes)
    return Server(stack.port, stack.home, token)


def looked_after(server: Server) -> set[str]:
    """The queues that a worker has looked after."""
    return set(
        re.findall(
            r'^lineage_beat_age_seconds\{queue="(\w+)"\}', server.call("GET", "/metrics").data.decode(), re.M
        )
    )


def attested(server: Server) -> int:
    """The status of an attestation that waits until every graph has it."""
    who = factories.signer()
    server.register(who.private.public.pem(), factories.fresh("compose"))
    envelope = who.envelope(factories.statement())
    path = "/api/v1/attestations?wait=projected"
    return int(server.call("POST", path, envelope, "application/vnd.in-toto+json").status)


def leftovers(folder: Path) -> list[str]:
    """Command lines of processes that still know this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(str(folder)) in path.read_bytes():
                found.append(path.with_name("cmdline").read_text())
        except OSError:
            continue
    return found
