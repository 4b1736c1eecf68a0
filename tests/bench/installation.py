"""A fresh `lineage up --no-demo` with a key and an API key, on a free port, gone after the block."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.client import read_private_key
from lineage.trust.keys import PrivateKey
from tests.bench import load
from tests.server import free_port


@dataclass(frozen=True)
class Installation:
    port: int
    home: Path
    token: str
    key: PrivateKey
    login: str
    password: str
    web_pid: int


@contextmanager
def fresh() -> Iterator[Installation]:
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(home), "LINEAGE_PORT": str(port)}
    command = [sys.executable, "-m", "lineage.cli"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    with open(home / "up.log", "wb") as log:
        up = subprocess.Popen(
            [*command, "up", "--no-demo", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert up.stdout is not None
            # One JSON value, on as many lines as it likes, once it serves.
            text = ""
            while not text.rstrip().endswith("}"):
                line = up.stdout.readline()
                if not line:
                    raise RuntimeError((home / "up.log").read_text())
                text += line
            address = json.loads(text)
            run("keys", "generate", "--out", str(home / "bench.pem"))
            scopes = ("--predicate-type", load.RUN, "--builder", load.BUILDER, "--subject", "bench/*")
            run("keys", "register", "--name", "bench", "--public-key", str(home / "bench.pem.pub"), *scopes)
            token = run("tokens", "create", "--name", "bench", "--scope", "attest", "--scope", "read")
            yield Installation(
                port,
                home,
                token,
                read_private_key(home / "bench.pem"),
                address["login"],
                address["password"],
                _web_process(up.pid),
            )
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
            shutil.rmtree(home)


def _web_process(parent: int) -> int:
    """The process that executes requests: granian's worker, the deepest child of the web process."""
    children = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    rows = [line.split(None, 2) for line in children]
    web = next(int(pid) for pid, ppid, args in rows if int(ppid) == parent and "lineage.cli.web" in args)
    inner = [int(pid) for pid, ppid, _ in rows if int(ppid) == web]
    return inner[-1] if inner else web
