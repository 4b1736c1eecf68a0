"""Signing in by an OpenID provider: the whole dance with a real one in its own process, which may lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client, override_settings

from lineage import config, sign_in_services
from lineage.db.models import AccessRecord, User
from lineage.people_settings import Oidc, RoleOfClaim
from lineage.services import access_records
from tests import factories, oidc_provider
from tests.oidc_provider import Provider

SECRET = "the client's secret"
ROLES = (RoleOfClaim("groups", "auditors", "auditor"), RoleOfClaim("groups", "ops", "operator"))


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with oidc_provider.started(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def configured(
    log: None, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Call it with members of `Oidc` that are other than usual: no roles, and no account for strangers."""
    settings = config.current()
    with override_settings():

        def configure(**members: Any) -> None:
            usual = Oidc(provider.url, "lineage", SECRET, "Example Sign-in", (), "")
            oidc = replace(usual, **members)
            changed = replace(settings, people=replace(settings.people, oidc=oidc))
            monkeypatch.setattr("lineage.web.single_sign_on.current", lambda: changed)
            monkeypatch.setattr("lineage.web.context.current", lambda: changed)
            from django.conf import settings as django

            django.SOCIALACCOUNT_PROVIDERS = sign_in_services.settings(oidc)

        provider.lie()
        configure()
        yield configure


def start(client: Client, query: str = "") -> str:
    """The address at the provider that the link leads to."""
    answer = client.get(f"/accounts/sso/login/{query}")
    assert answer.status_code == 302, answer.content
    return answer["Location"]


def come_back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def dance(client: Client, provider: Provider, sub: str, query: str = "") -> Any:
    """The answer to whoever comes back from the provider."""
    return come_back(client, provider.sign_in(start(client, query), sub))


def refused(answer: Any, sentence: str) -> None:
    assert answer.status_code == 403, answer.content
    assert sentence in answer.content.decode()


def signed_in_as(client: Client) -> str | None:
    page = client.get("/keys")
    user = page.wsgi_request.user
    return user.email if isinstance(user, User) and page.status_code == 200 else None


def test_somebody_with_an_account_is_found_by_a_verified_address(
    configured: Any, provider: Provider, client: Client
) -> None:
    person = factories.user("officer")
    sub = provider.person("anna-1", email=person.email.upper(), email_verified=True)
    answer = dance(client, provider, sub, "?next=/models")
    assert (answer.status_code, answer["Location"]) == (302, "/models")
    assert signed_in_as(client) == person.email
    account = SocialAccount.objects.get()
    assert account.user == person
    assert account.extra_data == {"iss": provider.url, "sub": sub}
    assert not SocialToken.objects.exists()
    person.refresh_from_db()
    assert person.role == "officer"
    assert person.check_password("correct horse battery")  # the other way in stays


def test_from_then_on_the_subject_counts_and_not_the_address(
    configured: Any, provider: Provider, client: Client
) -> None:
    person, other = factories.user("officer"), factories.user("operator")
    sub = provider.person("anna-2", email=person.email, email_verified=True)
    dance(client, provider, sub)
    provider.person(sub, email=other.email, email_verified=True)
    again = Client()
    dance(again, provider, sub)
    assert signed_in_as(again) == person.email


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1.5], ids=repr)
def test_an_address_that_is_not_verified_opens_no_account(
    configured: Any, provider: Provider, client: Client, verified: Any
) -> None:
    person = factories.user("operator")
    claims = {} if verified is None else {"email_verified": verified}
    sub = provider.person("mallory", email=person.email, **claims)
    refused(dance(client, provider, sub), "does not say that your e-mail address is verified")
    assert signed_in_as(client) is None
    assert not SocialAccount.objects.exists()


def test_no_address_at_all(configured: Any, provider: Provider, client: Client) -> None:
    configured(default_role="auditor")
    refused(dance(client, provider, provider.person("nameless")), "is verified")
    assert not User.objects.exists()


def test_a_stranger_gets_no_account(configured: Any, provider: Provider, client: Client) -> None:
    sub = provider.person("eve", email="eve@example.com", email_verified=True)
    refused(dance(client, provider, sub), "There is no account for eve@example.com.")
    assert not User.objects.exists()
    access_records.write()
    assert AccessRecord.objects.filter(action="refused", route="sso_callback").exists()


def test_a_stranger_gets_the_role_that_is_configured_for_anybody(
    configured: Any, provider: Provider, client: Client
) -> None:
    configured(default_role="auditor")
    sub = provider.person("fred", email="Fred@example.com", email_verified=True)
    assert dance(client, provider, sub).status_code == 302
    user = User.objects.get()
    assert (user.email, user.role, user.has_usable_password()) == ("fred@example.com", "auditor", False)
    assert signed_in_as(client) == "fred@example.com"
    assert client.get("/accesses").status_code == 403


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["auditors"], "auditor"),
        (["auditors", "ops"], "operator"),
        ("ops", "operator"),
        (["opsx", "OPS"], None),
        ([], None),
        ({"ops": True}, None),
        (None, None),
    ],
    ids=repr,
)
def test_a_claim_gives_the_role(
    configured: Any, provider: Provider, client: Client, groups: Any, role: str | None
) -> None:
    configured(roles=ROLES)
    sub = provider.person("gina", email="gina@example.com", email_verified=True, groups=groups)
    answer = dance(client, provider, sub)
    if role is None:
        refused(answer, "There is no account")
        assert not User.objects.exists()
    else:
        assert answer.status_code == 302
        assert User.objects.get().role == role


def test_who_leaves_a_group_loses_its_role(configured: Any, provider: Provider, client: Client) -> None:
    configured(roles=ROLES)
    sub = provider.person("hal", email="hal@example.com", email_verified=True, groups=["ops"])
    dance(client, provider, sub)
    assert User.objects.get().role == "operator"
    provider.person(sub, email="hal@example.com", email_verified=True, groups=["auditors"])
    dance(Client(), provider, sub)
    assert User.objects.get().role == "auditor"
    provider.person(sub, email="hal@example.com", email_verified=True, groups=[])
    refused(dance(Client(), provider, sub), "gives you no role here")


def test_an_inactive_account_stays_shut(configured: Any, provider: Provider, client: Client) -> None:
    person = factories.user("operator")
    User.objects.update(is_active=False)
    sub = provider.person("ian", email=person.email, email_verified=True)
    dance(client, provider, sub)
    assert signed_in_as(client) is None


@pytest.mark.parametrize(
    "lie",
    [
        {"aud": "another client"},
        {"aud": ["lineage", "another"], "azp": "another"},
        {"aud": ["lineage", "another"]},
        {"azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 99999999999},
        {"sub": "somebody else"},
        {"sub": ""},
        {"_signed": "other"},
        {"_signed": "none"},
        {"_signed": "hmac"},
        {"_signed": "missing"},
        {"_userinfo": {"sub": "somebody else", "email": "a@example.com", "email_verified": True}},
        {"_userinfo": ["no object"]},
        {"_issuer": "https://elsewhere.example"},
    ],
    ids=lambda lie: "-".join(f"{name}={value}" for name, value in lie.items())[:60],
)
def test_an_answer_that_is_not_as_it_must_be_lets_nobody_in(
    configured: Any, provider: Provider, client: Client, lie: dict[str, Any]
) -> None:
    person = factories.user("operator")
    sub = provider.person("jane", email=person.email, email_verified=True)
    address = provider.sign_in(start(client), sub)
    provider.lie(**lie)
    answer = come_back(client, address)
    refused(answer, "The sign-in service d")  # did not confirm, or does not answer as it should
    assert "alg" not in answer.content.decode()  # what was wrong is in the server's log
    assert signed_in_as(client) is None
    assert not SocialAccount.objects.exists()


def test_the_way_back_is_for_the_session_that_left(
    configured: Any, provider: Provider, client: Client
) -> None:
    """Whoever is sent to the end of another's sign-in is not signed in as them."""
    person = factories.user("operator")
    sub = provider.person("kim", email=person.email, email_verified=True)
    address = provider.sign_in(start(client), sub)
    refused(come_back(Client(), address), "did not confirm")
    victim = Client()
    start(victim)
    refused(come_back(victim, address), "did not confirm")
    assert signed_in_as(victim) is None
    assert come_back(client, address).status_code == 302
    refused(come_back(client, address), "did not confirm")  # once


def test_a_code_of_another_sign_in_does_not_pass_with_ones_own_state(
    configured: Any, provider: Provider, client: Client
) -> None:
    person = factories.user("operator")
    sub = provider.person("lee", email=person.email, email_verified=True)
    stolen = parse_qs(urlsplit(provider.sign_in(start(client), sub)).query)["code"][0]
    thief = Client()
    own = parse_qs(urlsplit(provider.sign_in(start(thief), sub)).query)["state"][0]
    answer = thief.get("/accounts/sso/callback/", {"code": stolen, "state": own})
    refused(answer, "did not confirm")


@pytest.mark.parametrize("query", ["", "?state=x", "?code=x", "?code=x&state=y", "?error=access_denied"])
def test_an_end_without_a_beginning(configured: Any, client: Client, query: str) -> None:
    refused(client.get(f"/accounts/sso/callback/{query}"), "did not confirm")


def test_somebody_who_says_no_at_the_provider(configured: Any, provider: Provider, client: Client) -> None:
    refused(come_back(client, provider.deny(start(client))), "did not confirm")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_nobody_is_sent_to_another_site(
    configured: Any, provider: Provider, client: Client, target: str
) -> None:
    person = factories.user("auditor")
    sub = provider.person("max", email=person.email, email_verified=True)
    answer = dance(client, provider, sub, f"?next={target}")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_what_is_asked_of_the_provider(configured: Any, provider: Provider, client: Client) -> None:
    query = "?scope=admin&auth_params=prompt%3Dnone&process=connect"
    asked = {name: value[0] for name, value in parse_qs(urlsplit(start(client, query)).query).items()}
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert "prompt" not in asked
    assert asked["redirect_uri"] == "http://testserver/accounts/sso/callback/"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) == 64
    assert len(asked["state"]) >= 16
    assert start(client) != start(client)


def test_behind_a_proxy_the_way_back_is_the_public_address(
    configured: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = replace(config.current(), public_url="https://testserver")
    monkeypatch.setattr("lineage.web.openid_provider.current", lambda: public)
    asked = parse_qs(urlsplit(start(client)).query)
    assert asked["redirect_uri"] == ["https://testserver/accounts/sso/callback/"]


def test_the_sign_in_page_has_the_link_and_keeps_where_to_go(configured: Any, client: Client) -> None:
    page = client.get("/accounts/login/?next=/keys").content.decode()
    assert 'href="/accounts/sso/login/?next=/keys"' in page
    assert "Sign in with Example Sign-in" in page


def test_without_a_provider_there_is_no_such_way(log: None, client: Client) -> None:
    assert client.get("/accounts/sso/login/").status_code == 404
    assert client.get("/accounts/sso/callback/?code=x&state=y").status_code == 404
    assert "sso" not in client.get("/accounts/login/").content.decode()


def test_a_provider_that_is_away_is_told(configured: Any, client: Client) -> None:
    from tests.server import free_port

    configured(url=f"http://127.0.0.1:{free_port()}")
    answer = client.get("/accounts/sso/login/")
    refused(answer, "does not answer as it should")


def test_other_methods_and_ways_of_allauth_are_closed(configured: Any, client: Client) -> None:
    assert client.post("/accounts/sso/login/").status_code == 405
    assert client.post("/accounts/sso/callback/").status_code == 405
    for name in ("signup", "cancelled", "connections"):
        assert client.get(f"/accounts/sso/{name}/").status_code == 404
