from __future__ import annotations

import pytest

from lineage.errors import MalformedError
from lineage.trust import identities
from lineage.trust.digest import sha256_hex
from lineage.trust.identities import Identity

ROOT = "a" * 64
ISSUER = "https://token.actions.example.com"
WORKFLOW = "https://github.example.com/org/repo/.github/workflows/release.yml@refs/tags/"


def test_the_id_is_of_issuer_and_subject() -> None:
    made = identities.make(ISSUER, "ann@example.com", ROOT)
    assert made.key_id == "identity:" + sha256_hex(f"{ISSUER}\nann@example.com".encode())


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("ann@example.com", "ann@example.com", True),
        ("ann@example.com", "ann@exampleXcom", False),
        ("ann@example.com", "ann@example.com\n", False),
        ("ann@example.com", "Ann@example.com", False),
        ("ann@example.com", "joann@example.com", False),
        (WORKFLOW + "*", WORKFLOW + "v1", True),
        (WORKFLOW + "*", WORKFLOW, True),
        (WORKFLOW + "*", "https://evil.example/" + WORKFLOW + "v1", False),
        ("*@example.com", "ann@example.com", True),
        ("*@example.com", "ann@example.com.evil.example", False),
        ("a?n@example.com", "ann@example.com", False),
        ("[ab]nn@example.com", "ann@example.com", False),
        ("ann.example", "annXexample", False),
    ],
)
def test_only_an_asterisk_stands_for_any_text(pattern: str, subject: str, fits: bool) -> None:
    assert Identity(ISSUER, pattern, ROOT).fits(ISSUER, subject, ROOT) is fits


def test_issuer_and_root_are_exact() -> None:
    identity = Identity(ISSUER, "ann@example.com", ROOT)
    assert not identity.fits(ISSUER + "/", "ann@example.com", ROOT)
    assert not identity.fits(ISSUER, "ann@example.com", "b" * 64)


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        ("", "ann@example.com"),
        (ISSUER, ""),
        (ISSUER, "*"),
        (ISSUER, "**"),
        (ISSUER, "*a*b"),
        (ISSUER, "a*b*c*d*e*f"),
        (ISSUER, " ann@example.com"),
        (ISSUER, "ann\nexample"),
        (ISSUER, "ann\u202eexample"),
        (ISSUER, "x" * 2001),
        ("https://a\nb", "ann@example.com"),
        ("x509:" + "b" * 64, "ann@example.com"),
    ],
)
def test_an_identity_that_is_none(issuer: str, subject: str) -> None:
    with pytest.raises(MalformedError):
        identities.make(issuer, subject, ROOT)


def test_what_stands_in_the_place_of_an_algorithm() -> None:
    assert identities.make(ISSUER, "ann@example.com", ROOT).algorithm == "sigstore-identity"
    assert identities.make(f"x509:{ROOT}", "host.example.com", ROOT).algorithm == "x509-identity"
