"""From which address a request comes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineage import client_address, config

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("remote", "forwarded", "meant"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.5", "192.0.2.1"),  # no proxy of ours says so
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.5", "203.0.113.5"),  # what stands before, anybody may write
        ("10.0.0.1", "203.0.113.5, 10.9.9.9", "203.0.113.5"),
        ("10.0.0.1", "10.1.1.1,10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, <script>", "10.0.0.1"),
        ("10.0.0.1", "evil, 203.0.113.5", "203.0.113.5"),
        ("fd00::1", "2001:DB8::0:1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("", "203.0.113.5", ""),
        ("unix:", "203.0.113.5", ""),
    ],
)
def test_only_proxies_of_ours_are_believed(
    monkeypatch: pytest.MonkeyPatch, remote: str, forwarded: str, meant: str
) -> None:
    settings = config.current()
    people = replace(settings.people, trusted_proxies=PROXIES)
    monkeypatch.setattr(client_address, "current", lambda: replace(settings, people=people))
    assert client_address.of({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}) == meant


def test_without_proxies_the_header_is_nothing() -> None:
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.5"}
    assert client_address.of(meta) == "10.0.0.1"
