"""The operator's desk: calls of the REST API that need more than a pipeline's rights.

Owns: the operator's API key, one call, registering a key, waiting for a job. Does not own: what else is
asked for.
"""

from __future__ import annotations

import json
import time
from functools import cached_property
from typing import Any

import urllib3

from lineage.example.workshop import Key, Said, Workshop

PATIENCE_SECONDS = 300.0
"""How long a job may take to its end, on a slow machine."""
LOOK_SECONDS = 0.5
OK, CREATED, ACCEPTED, NOT_FOUND, CONFLICT = 200, 201, 202, 404, 409
SCOPES = ("operate", "read", "check", "decide")
_CALL_SECONDS = 30.0


class Desk:
    """Asks the server of a workshop in the name of its operator."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._http = urllib3.PoolManager(retries=False, timeout=_CALL_SECONDS)

    def call(
        self, method: str, path: str, body: Said | None = None, *, also: int = OK
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises: RuntimeError for a status that is no success and not `also`."""
        answer = self._http.request(
            method,
            f"{self._shop.url}/api/v1/{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        if answer.status not in {OK, CREATED, ACCEPTED, also}:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {answer.data[:500]!r}")
        return answer.status, dict(answer.json())

    def register(self, name: str, **scopes: list[str]) -> Key:
        """A key pair that the log knows as `name`, with these scopes and no others."""
        key = self._shop.key(name)

        def do() -> Said:
            _, known = self.call("GET", "keys")
            if not any(row["name"] == name for row in known["keys"]):
                self.call(
                    "POST", "keys", {"name": name, "public_key": key.public.read_text(), "scopes": scopes}
                )
            return {}

        self._shop.once(f"register-the-key-of-{name}", do)
        return key

    def decide(self, decision: Said) -> Said:
        """Record a decision about an artifact, once the graph knows the artifact."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        status, answer = self.call("POST", "decisions", decision, also=NOT_FOUND)
        while status == NOT_FOUND:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the graph does not come to know {decision['artifact']}")
            time.sleep(LOOK_SECONDS)
            status, answer = self.call("POST", "decisions", decision, also=NOT_FOUND)
        return {"index": answer["index"]}

    def ended(self, job: dict[str, Any], what: str) -> Said:
        """The result of a job. Raises: RuntimeError where it fails or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while job["state"] not in {"done", "failed"}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not end in {PATIENCE_SECONDS:.0f} s: {job}")
            time.sleep(LOOK_SECONDS)
            _, job = self.call("GET", f"jobs/{job['id']}")
        if job["state"] == "failed":
            raise RuntimeError(f"{what} failed: {job['reason']}")
        return dict(job["result"])

    @cached_property
    def _token(self) -> str:
        def do() -> Said:
            scopes = [part for scope in SCOPES for part in ("--scope", scope)]
            made = self._shop.lineage("tokens", "create", "--name", "example operator", *scopes)
            return {"token": made.strip()}

        return str(self._shop.once("make-an-api-key-for-the-operator", do)["token"])
