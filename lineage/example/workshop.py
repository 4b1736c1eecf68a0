"""Where the example works: a folder with its files, keys, envelopes, and the list of steps that are done.

A step that was interrupted is done again; a signed envelope that was written is sent again, not signed anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lineage.client import Client, attest, read_private_key, write_key_pair
from lineage.errors import LineageError
from lineage.trust.keys import generate_ed25519

Said = dict[str, Any]


def log(text: str) -> None:
    """One line for whoever watches `lineage up`."""
    sys.stderr.write(f"example: {text}\n")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Key:
    """A key pair of the example; `private` and `public` are PEM files."""

    private: Path
    public: Path


@dataclass(frozen=True)
class Workshop:
    """`url` is the server's address; `folder` is private to the example."""

    folder: Path
    url: str

    def path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def once(self, step: str, do: Callable[[], Said | None]) -> Said:
        """What the step returned, now or when it was first done."""
        marker = self.path(f"done/{step}.json")
        if marker.exists():
            return dict(json.loads(marker.read_text()))
        log(step.replace("-", " "))
        result = do() or {}
        partial = marker.with_suffix(".partial")
        partial.write_text(json.dumps(result))
        partial.rename(marker)
        return result

    def done(self, step: str) -> Said:
        """What a step that is done has returned."""
        return dict(json.loads(self.path(f"done/{step}.json").read_text()))

    def lineage(self, *arguments: str, allowed: Sequence[int] = (0,)) -> str:
        """Run a `lineage` command as an operator would; returns its standard output.

        Raises: RuntimeError with the command's own words where its exit code is none of `allowed`.
        """
        return self._run(f"lineage {arguments[0]}", ["lineage.cli", *arguments], os.environ, allowed)

    def script(self, module: str, *arguments: str, **environment: str) -> Said:
        """Run a Python program of its own; what its last line says, as JSON.

        Raises: RuntimeError with the program's own words where it fails.
        """
        said = self._run(module, [module, *arguments], {**os.environ, **environment})
        return dict(json.loads(said.splitlines()[-1]))

    def _run(
        self,
        called: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        allowed: Sequence[int] = (0,),
    ) -> str:
        done = subprocess.run(  # noqa: S603 the arguments are the example's own
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode not in allowed:
            raise RuntimeError(f"{called} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def key(self, name: str) -> Key:
        """A key pair, made at the first call."""
        private = self.path(f"keys/{name}.pem")
        if not private.exists():
            write_key_pair(generate_ed25519(), private)
        return Key(private, Path(f"{private}.pub"))

    def attest(
        self,
        step: str,
        *,
        key: Key,
        token: str,
        predicate_type: str,
        predicate: Said,
        subjects: Sequence[str],
        materials: Sequence[str] = (),
    ) -> Said:
        """Sign, as `lineage attest` does, and send; the receipt. Raises: LineageError."""
        envelope = self.path(f"envelopes/{step}.json")
        if not envelope.exists():
            signed = attest(
                key=read_private_key(key.private), predicate_type=predicate_type, predicate=predicate,
                subjects=subjects, materials=materials,
            )  # fmt: skip
            partial = envelope.with_suffix(".partial")
            partial.write_bytes(signed)
            partial.rename(envelope)
        receipt = Client(self.url, token).send(envelope.read_bytes())
        return {"digest": receipt.digest, "index": receipt.index}

    def attest_in_vain(self, step: str, **arguments: Any) -> Said:
        """As `attest`, for what the server must refuse; raises RuntimeError where it doesn't."""
        try:
            receipt = self.attest(step, **arguments)
        except LineageError as error:
            log(f"refused, as it should be: {error.message}")
            return {"refused": error.slug}
        raise RuntimeError(f"{step} was accepted as entry {receipt['index']}, and should have been refused")
