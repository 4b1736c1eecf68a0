"""A real OpenID provider as a process of its own: package `oidc-provider-mock`, which can be told to lie.

`python -m tests.oidc_provider PORT` serves it. `PUT /lies` with a JSON object says how the next ID tokens
differ from what they should be: members are claims, and `"_signed": "other"` or `"none"` how they are signed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.server import CHECKOUT, free_port

READY_SECONDS = 30.0


@dataclass(frozen=True)
class Provider:
    url: str

    def person(self, sub: str, **claims: Any) -> str:
        """Somebody that the provider knows; returns the subject."""
        self._put(f"/users/{sub}", claims)
        return sub

    def lie(self, **claims: Any) -> None:
        self._put("/lies", claims)

    def sign_in(self, address: str, sub: str) -> str:
        """Do what a browser and a person do at the provider; returns where it sends them back to."""
        answer = urllib3.request(
            "POST",
            address,
            body=urlencode({"sub": sub}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
            retries=False,
            timeout=10,
        )
        assert answer.status == 302, answer.data
        return answer.headers["Location"]

    def deny(self, address: str) -> str:
        answer = urllib3.request(
            "POST",
            address,
            body="action=deny",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
            retries=False,
            timeout=10,
        )
        return answer.headers["Location"]

    def _put(self, path: str, body: dict[str, Any]) -> None:
        answer = urllib3.request("PUT", self.url + path, json=body, retries=False, timeout=10)
        assert answer.status == 204, answer.data


@contextmanager
def started(home: Path) -> Iterator[Provider]:
    """A provider until the block ends; its log is a file in `home`."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "AUTHLIB_INSECURE_TRANSPORT": "1"}
    with open(home / "provider.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.oidc_provider", str(port)],
            cwd=home,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            provider = Provider(f"http://127.0.0.1:{port}")
            _wait(provider, home)
            yield provider
        finally:
            process.terminate()
            process.wait(10)


def _wait(provider: Provider, home: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if urllib3.request("GET", f"{provider.url}/jwks", retries=False, timeout=5).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("the provider did not start:\n" + (home / "provider.log").read_text())


def _serve(port: int) -> None:
    import flask
    import jwt
    import oidc_provider_mock  # type: ignore[import-untyped]
    from cryptography.hazmat.primitives.asymmetric import rsa
    from werkzeug.serving import run_simple

    app = oidc_provider_mock.app()
    lies: dict[str, Any] = {}
    stranger = rsa.generate_private_key(65537, 2048)

    @app.put("/lies")  # type: ignore[untyped-decorator]
    def lie() -> tuple[str, int]:
        lies.clear()
        lies.update(flask.request.get_json())
        return "", 204

    @app.after_request  # type: ignore[untyped-decorator]
    def twist(answer: flask.Response) -> flask.Response:
        if flask.request.path == "/.well-known/openid-configuration" and "_issuer" in lies:
            answer.set_data(json.dumps({**json.loads(answer.get_data()), "issuer": lies["_issuer"]}))
        if flask.request.path == "/userinfo" and "_userinfo" in lies:
            answer.set_data(json.dumps(lies["_userinfo"]))
        if flask.request.path != "/oauth2/token" or not lies or answer.status_code != 200:
            return answer
        body = json.loads(answer.get_data())
        header = jwt.get_unverified_header(body["id_token"])
        claims = jwt.decode(body["id_token"], options={"verify_signature": False})
        claims |= {name: value for name, value in lies.items() if not name.startswith("_")}
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = lies.get("_signed", "own")
        key: Any = flask.g.oidc_provider_mock_storage.jwk.get_private_key()
        headers = {"kid": header.get("kid")}
        if signed == "none":
            body["id_token"] = jwt.encode(claims, "", algorithm="none", headers=headers)
        elif signed == "hmac":
            secret = "a secret that every client of it knows, and nobody else"
            body["id_token"] = jwt.encode(
                claims, secret, algorithm="HS256", headers={"kid": header.get("kid")}
            )
        elif signed == "missing":
            del body["id_token"]
        else:
            key = stranger if signed == "other" else key
            body["id_token"] = jwt.encode(claims, key, algorithm="RS256", headers=headers)
        answer.set_data(json.dumps(body))
        return answer

    run_simple("127.0.0.1", port, app, threaded=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
