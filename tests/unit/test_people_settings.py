"""Settings about people: what is taken, and that a wrong one stops the start with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage import config
from lineage.errors import ConfigurationError
from lineage.people_settings import People, Rate


def read(tmp_path: Path, **settings: str) -> People:
    return config.load({"LINEAGE_HOME": str(tmp_path), **settings}).people


def test_what_holds_where_nothing_is_set(tmp_path: Path) -> None:
    people = read(tmp_path)
    assert people.trusted_proxies == ()
    assert people.access_days == 365
    assert people.rate_limit == Rate(3000, 60)
    assert people.attest_rate_limit is None


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
    ],
)
def test_a_wrong_one_is_named(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(tmp_path, **{name: text})
