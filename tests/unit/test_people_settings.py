"""Settings about people: what is taken, and that a wrong one stops the start with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import config
from lineage.errors import ConfigurationError
from lineage.people_settings import People, Rate, RoleOfClaim


def read(tmp_path: Path, **settings: str) -> People:
    return config.load({"LINEAGE_HOME": str(tmp_path), **settings}).people


def test_what_holds_where_nothing_is_set(tmp_path: Path) -> None:
    people = read(tmp_path)
    assert people.trusted_proxies == ()
    assert people.access_days == 365
    assert people.rate_limit == Rate(3000, 60)
    assert people.attest_rate_limit is None
    assert people.four_eyes_hours == 0
    assert people.mfa_role == ""
    assert people.oidc is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [("none", None), ("5/second", Rate(5, 1)), ("60/minute", Rate(60, 60)), ("9000/hour", Rate(9000, 3600))],
)
def test_rates(tmp_path: Path, text: str, meant: Rate | None) -> None:
    assert read(tmp_path, LINEAGE_RATE_LIMIT=text).rate_limit == meant
    assert read(tmp_path, LINEAGE_ATTEST_RATE_LIMIT=text).attest_rate_limit == meant


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LINEAGE_RATE_LIMIT", "0/minute"),
        ("LINEAGE_RATE_LIMIT", "5/day"),
        ("LINEAGE_RATE_LIMIT", "5"),
        ("LINEAGE_RATE_LIMIT", "-5/minute"),
        ("LINEAGE_ATTEST_RATE_LIMIT", "many"),
        ("LINEAGE_ACCESS_DAYS", "0"),
        ("LINEAGE_ACCESS_DAYS", "ten"),
        ("LINEAGE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("LINEAGE_TRUSTED_PROXIES", "proxy.example"),
        ("LINEAGE_FOUR_EYES", "-1"),
        ("LINEAGE_FOUR_EYES", "yes"),
        ("LINEAGE_MFA_ROLE", "everybody"),
    ],
)
def test_a_wrong_one_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(tmp_path, **{name: text})


OIDC = {
    "LINEAGE_OIDC_URL": "https://login.example/realm/",
    "LINEAGE_OIDC_CLIENT_ID": "lineage",
    "LINEAGE_OIDC_CLIENT_SECRET": "secret",
}


def test_an_openid_provider(tmp_path: Path) -> None:
    roles = "groups=ops:operator, groups=urn:x:audit:auditor"
    oidc = read(tmp_path, **OIDC, LINEAGE_OIDC_ROLES=roles, LINEAGE_OIDC_DEFAULT_ROLE="auditor").oidc
    assert oidc is not None
    assert (oidc.url, oidc.client_id) == ("https://login.example/realm", "lineage")
    assert oidc.roles == (
        RoleOfClaim("groups", "ops", "operator"),
        RoleOfClaim("groups", "urn:x:audit", "auditor"),
    )
    assert oidc.default_role == "auditor"
    assert "secret" not in repr(oidc).replace("client_secret", "")


def test_its_secret_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    given = {**OIDC, "LINEAGE_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    del given["LINEAGE_OIDC_CLIENT_SECRET"]
    oidc = read(tmp_path, **given).oidc
    assert oidc is not None
    assert oidc.client_secret == "from a file"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LINEAGE_OIDC_URL", "http://login.example"),
        ("LINEAGE_OIDC_URL", "login.example"),
        ("LINEAGE_OIDC_CLIENT_ID", ""),
        ("LINEAGE_OIDC_CLIENT_SECRET", ""),
        ("LINEAGE_OIDC_DEFAULT_ROLE", "admin"),
        ("LINEAGE_OIDC_ROLES", "ops:operator"),
        ("LINEAGE_OIDC_ROLES", "groups=ops"),
        ("LINEAGE_OIDC_ROLES", "groups=ops:root"),
        ("LINEAGE_OIDC_ROLES", "=ops:operator"),
    ],
)
def test_a_provider_that_is_half_configured_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(tmp_path, **{**OIDC, name: text})


def test_a_provider_without_its_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LINEAGE_OIDC_NAME"):
        read(tmp_path, LINEAGE_OIDC_NAME="Example")
