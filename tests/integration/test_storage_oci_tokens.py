"""Registries that sign in by tokens: whom a password is sent to, which challenges and tokens are taken."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lineage.artifacts.storage import GoneError, by_kind
from tests.certificates import Issued, issue
from tests.hostile_http import Answer, Hostile, answer, hostile
from tests.integration.storage_contract import Stand
from tests.integration.storage_contract import impatient as impatient  # noqa: PLC0414 a fixture
from tests.integration.test_storage_oci import BASIC, Digests, Pushed, access, begun
from tests.integration.test_storage_oci import elsewhere as elsewhere  # noqa: PLC0414 a fixture
from tests.registry import PASSWORD, USER, Pushing, Registry
from tests.relay import relay
from tests.services import running


@dataclass
class TokenService:
    """Gives tokens that a real registry takes, to whoever has the password."""

    server: Hostile
    authority: Issued
    signer: Issued

    def reply(self, _number: int, request: bytes) -> Answer:
        if f"Authorization: {BASIC}".encode() not in request:
            return answer(b"{}", "401 No")
        query = parse_qs(urlsplit(request.split(b" ")[1].decode()).query)
        return answer(json.dumps({"token": self.token(query.get("scope", [""])[0])}).encode())

    def token(self, scope: str, actions: tuple[str, ...] = ("pull",)) -> str:
        kind, _, rest = scope.partition(":")
        name = rest.rpartition(":")[0]
        certificate = self.signer.certificate.public_bytes(Encoding.DER)
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(certificate).decode()]}
        claims = {
            **{"iss": "here", "sub": USER, "aud": "registry", "jti": secrets.token_hex(8)},
            **{"exp": int(time.time()) + 300, "nbf": int(time.time()) - 60, "iat": int(time.time()) - 60},
            "access": [{"type": kind, "name": name, "actions": actions}] if scope else [],
        }
        signed = f"{encoded(head)}.{encoded(claims)}"
        r, s = utils.decode_dss_signature(self.signer.key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{unpadded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def encoded(document: dict[str, Any]) -> str:
    return unpadded(json.dumps(document).encode())


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenService]:
    authority = issue("authority")
    made: list[TokenService] = []
    with hostile(lambda number, request: made[0].reply(number, request)) as server:  # noqa: PLW0108 not made yet
        made.append(TokenService(server, authority, issue("signer", authority)))
        yield made[0]


@pytest.fixture(scope="module")
def token_registry(tokens: TokenService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "authority.pem").write_text(tokens.authority.pem)
    auth = (
        f"auth:\n  token:\n    realm: {tokens.server.url}/token\n    service: registry\n    issuer: here\n"
        f"    rootcertbundle: {folder / 'authority.pem'}\n"
    )
    for service in running(lambda folder: begun(Registry(folder, auth)), folder):
        assert isinstance(service, Registry)
        yield service


@pytest.mark.service
class TestByToken(Digests):
    @pytest.fixture
    def stand(self, token_registry: Registry, tokens: TokenService) -> Iterator[Stand]:
        repository = f"models/{secrets.token_hex(4)}"
        token = tokens.token(f"repository:{repository}:x", ("pull", "push"))
        with relay(token_registry.url) as between:
            good = access(f"http://{between.authority}", repository, username=USER, secret=PASSWORD)
            headers = {"Authorization": f"Bearer {token}"}
            pushed = Pushed(Pushing(token_registry.url, repository, headers), good.uri)
            wrong = (replace(good, secret="another"), replace(good, username=""))
            yield Stand(good, between, pushed.put, pushed.at, wrong)


def challenged(realm: str, **members: Any) -> tuple[str, list[bytes]]:
    """What is said of a registry that sends us to `realm`, and what it was asked."""
    told = answer(b"", "401 No", f'WWW-Authenticate: Bearer realm="{realm}",service="s"')
    with hostile(told) as server, by_kind("oci").open(access(server.url, **members)) as storage:
        with pytest.raises(GoneError) as caught:
            storage.probe()
        return caught.value.message, server.requests


def test_a_password_goes_to_no_host_but_the_registrys_and_the_configured_one() -> None:
    with hostile(answer(b'{"token": "t"}')) as other:
        realm = other.url.replace("127.0.0.1", "localhost")
        said, requests = challenged(realm, username=USER, secret=PASSWORD)
        assert "another host" in said
        assert other.requests == []
        assert not any(b"Authorization" in request for request in requests)
        challenged(realm, username=USER, secret=PASSWORD, endpoint=realm)
        assert f"Authorization: {BASIC}".encode() in other.requests[0]
        challenged(realm)
        assert b"Authorization" not in other.requests[1]


@pytest.mark.parametrize(
    "realm",
    [
        "",
        "ftp://127.0.0.1/",
        "http://u:p@127.0.0.1/",
        "http://[::1",
        "http://169.254.169.254/latest",
        "file:///etc",
    ],
)
def test_realms_that_are_not_asked(realm: str) -> None:
    assert challenged(realm)[0]


@pytest.mark.parametrize(
    "told",
    ["Negotiate", 'Basic realm="x"', "", "Bearer", 'Bearer realm="http://127.0.0.1:1/"'],
    ids=list("abcde"),
)
def test_challenges_that_can_not_be_answered(told: str) -> None:
    with (
        hostile(answer(b"", "401 No", f"WWW-Authenticate: {told}")) as server,
        by_kind("oci").open(access(server.url)) as storage,
        pytest.raises(GoneError),
    ):
        storage.probe()


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b'{"token": 1}', b'{"token": "a b"}', b"\xff" * 9], ids=list("abcdef")
)
def test_a_token_that_is_none_is_refused(said: bytes) -> None:
    def reply(_number: int, request: bytes) -> Answer:
        if b" /token?" in request:
            return answer(said)
        return answer(b"", "401 No", f'WWW-Authenticate: Bearer realm="{server.url}/token",service="s"')

    with (
        hostile(reply) as server,
        by_kind("oci").open(access(server.url)) as storage,
        pytest.raises(GoneError),
    ):
        storage.probe()


def test_a_token_of_our_own_is_sent_to_the_registry() -> None:
    with hostile(answer(b"")) as server, by_kind("oci").open(access(server.url, token="abc")) as storage:
        storage.probe()
        assert b"Authorization: Bearer abc\r\n" in server.requests[0]


# Registries that are none
