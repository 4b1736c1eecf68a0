"""Addresses that must not be asked, redirects that must not be followed, formulas, and lines in headers."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client

from lineage import config
from lineage.services import access_records, decide_incidents, intake
from tests import factories
from tests.conftest import Api
from tests.hostile_http import answer, hostile

PASSWORD = "correct horse battery"
SPELLINGS = (
    "127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "0.0.0.0", "127.0.0.1.",
    "127.000.000.001",
)  # fmt: skip
"""Ways to say this machine, some only for resolvers that are generous."""


def allow(monkeypatch: pytest.MonkeyPatch, networks: str) -> None:
    monkeypatch.setenv("LINEAGE_PRIVATE_NETWORKS", networks)
    config.current.cache_clear()


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    cache.clear()
    yield
    config.current.cache_clear()


def source(api: Api, url: str) -> Any:
    api.http.delete("/api/v1/sources/lab")
    made = api.post("/api/v1/sources", {"name": f"s{factories.fresh('x')}", "url": url})
    if made.status_code == 201:
        return api.post(f"/api/v1/sources/{made.json()['name']}/check")
    return made


def proxied(api: Api, url: str) -> Any:
    form = {"name": f"s{factories.fresh('x')}", "url": "http://8.8.8.8", "proxy": url}
    made = api.post("/api/v1/sources", form)
    if made.status_code == 201:
        return api.post(f"/api/v1/sources/{made.json()['name']}/check")
    return made


def storage(kind: str, uri: str) -> Callable[[Api, str], Any]:
    def ask(api: Api, url: str) -> Any:
        name = f"s{factories.fresh('x')}"
        form = {"name": name, "kind": kind, "uri": uri.format(url=url, name=name)}
        if "{url}" not in uri:
            form["endpoint"] = url
        made = api.post("/api/v1/locations", form)
        return api.post(f"/api/v1/locations/{name}/check") if made.status_code == 201 else made

    return ask


def webhook(api: Api, url: str) -> Any:
    made = api.post("/api/v1/subscriptions", {"kind": "webhook", "target": f"{url}/hook"})
    if made.status_code == 201:
        return api.post(f"/api/v1/subscriptions/{made.json()['subscription']['id']}/test")
    return made


SETTABLE: dict[str, Callable[[Api, str], Any]] = {
    "a source": source,
    "the proxy of a source": proxied,
    "the endpoint of S3": storage("s3", "s3://{name}/x"),
    "a web storage": storage("https", "{url}/models/"),
    "a webhook": webhook,
}


@pytest.mark.parametrize("what", SETTABLE)
def test_no_spelling_of_this_machine_is_asked(
    log: None, api: Api, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    allow(monkeypatch, "")
    with hostile(answer(b"{}")) as server:
        for host in SPELLINGS:
            found = SETTABLE[what](api, f"http://{host}:{server.port}")
            assert found.status_code in {200, 400, 503}, (host, found.content)
            assert not found.json().get("ok"), host
        assert (server.connections, server.requests) == (0, [])


def test_the_server_would_have_heard(log: None, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, "127.0.0.0/8")
    for what in ("a source", "the proxy of a source", "the endpoint of S3", "a webhook"):
        with hostile(answer(b"{}", "200 OK", "Connection: close")) as server:
            SETTABLE[what](api, server.url)
            assert server.connections > 0, what


@pytest.fixture
def elsewhere() -> Iterator[tuple[int, list[object]]]:
    """A port on an address of this machine that is not allowed, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.2", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peer, address = listener.accept()
                    came.append(address)
                    peer.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("what", ["a source", "the endpoint of S3", "a webhook"])
@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_leads_nowhere_that_is_not_allowed(
    log: None,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: tuple[int, list[object]],
    what: str,
    status: str,
) -> None:
    allow(monkeypatch, "127.0.0.1/32")
    port, came = elsewhere
    for host in ("127.0.0.2", "[::ffff:127.0.0.2]", "169.254.169.254"):
        moved = answer(b"", status, f"Location: http://{host}:{port}/latest/meta-data/", "Connection: close")
        with hostile(moved) as server:
            found = SETTABLE[what](api, server.url)
            assert server.connections > 0
            assert not found.json().get("ok")
            assert b"meta-data" not in found.content
    assert came == []


OUTSIDE = (
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http:evil.example", "https:/\\evil.example", "javascript:alert(1)", "data:text/html,x",
    "\t//evil.example", "/\t/evil.example", "/%09/evil.example", "//evil.example\r\nSet-Cookie: a=b",
    "https://testserver@evil.example/", "https://testserver.evil.example/", "%2f%2fevil.example",
    "////evil.example/%2f..",
)  # fmt: skip


def inside(location: str) -> bool:
    """Whether a browser that is here stays here, also one that takes a backslash for a slash."""
    there = urlsplit(urljoin("http://testserver/accounts/login/", location))
    return (there.scheme, there.netloc) == ("http", "testserver") and not set("\r\n\t\\") & set(location)


@pytest.mark.parametrize("target", OUTSIDE)
def test_signing_in_leads_nowhere_else(log: None, target: str) -> None:
    person = factories.user("auditor", PASSWORD)
    client = Client()
    form = {"login": person.email, "password": PASSWORD, "next": target}
    found = client.post(f"/accounts/login/?next={quote(target)}", form)
    assert found.status_code == 302
    assert inside(found["Location"]), found["Location"]
    assert "Set-Cookie: a=b" not in str(found.headers)
    for path in ("/accounts/login/", "/accounts/logout/", "/accounts/password/change/"):
        for ask in (client.get, client.post):
            again = ask(f"{path}?next={quote(target)}", {"next": target} if ask == client.post else None)
            assert again.status_code in {200, 302, 405}
            assert inside(again.get("Location", "/")), (path, again["Location"])
            if path == "/accounts/logout/":
                client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")


@pytest.mark.parametrize(
    "path", ["//evil.example/models", "/\\evil.example/", "//evil.example//", "/models?x=//e"]
)
def test_an_address_that_needs_signing_in_comes_back_here(log: None, path: str) -> None:
    person = factories.user("auditor", PASSWORD)
    client = Client()
    found = client.get(path)
    if found.status_code != 302:
        assert found.status_code == 404
        return
    assert inside(found["Location"])
    after = client.post(found["Location"], {"login": person.email, "password": PASSWORD})
    assert after.status_code == 302
    assert inside(after["Location"])


FORMULAS = (
    '=HYPERLINK("http://evil.example","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '="a",=1',
    "=1\r\n=2",
)  # fmt: skip
EXPORTS = (
    "/models", "/datasets", "/runs", "/hardware", "/attestations", "/keys", "/refusals", "/accesses",
    "/changes", "/incidents", "/tainted", "/completeness/{model}",
    "/models/{model}/lineage", "/impact/{model}",
)  # fmt: skip


@pytest.fixture
def formulas(graph: Callable[[], int]) -> str:
    """A log in which every name begins a formula; returns a model's key."""
    signer = factories.registered(name="=cmd|' /C calc'!A0")
    key = ""
    for number, text in enumerate(FORMULAS):
        inputs = [factories.artifact(text, factories.sha256(f"in {number}"), role="dataset")]
        run = {"builder": {"id": factories.BUILDER}, "invocationId": text, "name": text, "inputs": inputs}
        model = factories.artifact(text, factories.sha256(f"out {number}"), annotations={"role": "model"})
        said = factories.statement(
            model,
            predicate_type="urn:lineage:predicate:training-run:v1",
            predicate=run | {"activity": "training"},
        )
        intake.submit(signer.envelope(said), token=text)
        key = f"sha256:{factories.sha256(f'out {number}')}"
        machine = factories.artifact(text, factories.sha256(f"machine {number}"))
        hardware = "urn:lineage:predicate:hardware-node:v1"
        intake.submit(
            signer.envelope(
                factories.statement(machine, predicate_type=hardware, predicate={"vendor": text})
            ),
            token=text,
        )
        Api(factories.token("attest")).attest(
            factories.signer().envelope(factories.statement(predicate_type=text), keyid=text)
        )
    tuned = factories.artifact(FORMULAS[0], factories.sha256("tuned"), annotations={"role": "model"})
    above = factories.artifact(FORMULAS[1], key.removeprefix("sha256:"), annotations={"role": "model"})
    intake.submit(signer.envelope(factories.provenance([tuned], [above])), token="t")
    graph()
    decide_incidents.open_incident(
        key, FORMULAS[0], "low", FORMULAS[1], person="os:test", owner=FORMULAS[2], designates=True
    )
    graph()
    return key


def test_no_cell_of_any_export_begins_a_formula(formulas: str) -> None:
    client = Client()
    client.force_login(factories.user("operator"), "allauth.account.auth_backends.AuthenticationBackend")
    client.get(f"/keys/{quote(FORMULAS[0])}")
    access_records.write()
    for path in EXPORTS:
        found: Any = client.get(path.replace("{model}", formulas), {"format": "csv"})
        assert (path, found.status_code, found["Content-Type"]) == (path, 200, "text/csv; charset=utf-8")
        assert found["Content-Disposition"].startswith('attachment; filename="')
        text = b"".join(found.streaming_content).decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) > 1, path
        wrong = [
            cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        ]
        assert (path, wrong) == (path, [])
    assert "'=HYPERLINK" in "".join(
        part.decode()
        for part in client.get("/models", {"format": "csv"}).streaming_content  # type: ignore[attr-defined]
    )


def test_every_export_is_looked_at(formulas: str) -> None:
    """A page that offers a CSV file and isn't in the list above."""
    from django.urls import URLPattern

    from lineage.web import detail_urls
    from lineage.web import urls as web_urls

    offered = set()
    client = Client()
    client.force_login(factories.user("operator"), "allauth.account.auth_backends.AuthenticationBackend")
    patterns = [p for p in [*web_urls.urlpatterns, *detail_urls.urlpatterns] if isinstance(p, URLPattern)]
    for pattern in patterns:
        path = "/" + str(pattern.pattern).replace("<str:key>", formulas)
        if "<" not in path and client.get(path).status_code == 200:
            found = client.get(path, {"format": "csv"})
            if found["Content-Type"].startswith("text/csv"):
                offered.add(path)
    assert offered == {path.replace("{model}", formulas) for path in EXPORTS}


LINES = 'a"\r\nSet-Cookie: stolen=1\r\n\r\n<script>;é\u202e/../../etc/passwd\0.json'


def test_no_header_has_lines_of_a_signer(graph: Callable[[], int]) -> None:
    signer = factories.registered()
    subject = factories.artifact(LINES, factories.sha256("lines"), downloadLocation=LINES, mediaType=LINES)
    told = intake.submit(signer.envelope(factories.statement(subject)), token=LINES)
    graph()
    digest, key = told.receipt.digest, f"sha256:{factories.sha256('lines')}"
    client = Client()
    client.force_login(factories.user("operator"), "allauth.account.auth_backends.AuthenticationBackend")
    odd = quote(LINES, safe="")
    for path in (
        f"/attestations/{digest}", f"/attestations/{digest}/envelope", f"/artifacts/{key}",
        f"/models/{key}/lineage", f"/nodes/{odd}", f"/models?format=csv&q={odd}",
        f"/api/v1/attestations/{digest}/envelope",
        f"/api/v1/nodes/{key}", f"/search?q={odd}",
        f"/attestations/{odd}/envelope", f"/sources/{odd}", f"/api/v1/nodes?name={odd}",
        f"/models?as_of={odd}", f"/attestations/{digest}/keys/{signer.key_id}.pem",
    ):  # fmt: skip
        found: Any = client.get(path)
        assert found.status_code in {200, 400, 404}, path
        for name, value in found.headers.items():
            assert not set("\r\n\0") & set(value), (path, name)
        assert "stolen" not in found.cookies
        disposition = found.headers.get("Content-Disposition", 'attachment; filename="x"')
        assert disposition.count('"') == 2, path
        assert json.dumps(disposition).isascii()
