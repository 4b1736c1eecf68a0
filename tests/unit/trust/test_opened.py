from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.errors import MalformedError
from lineage.trust import dsse
from lineage.trust.opened import open_signed

from .builders import key

ENVELOPE = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, b"{}", key(1))
BUNDLE: dict[str, Any] = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {},
    "dsseEnvelope": json.loads(ENVELOPE),
}


def test_an_envelope_alone() -> None:
    opened = open_signed(ENVELOPE)
    assert (opened.bundle, opened.certificates) == (None, False)
    assert opened.envelope == dsse.parse(ENVELOPE)


def test_an_envelope_in_a_bundle() -> None:
    data = json.dumps(BUNDLE).encode()
    opened = open_signed(data)
    assert (opened.bundle, opened.certificates) == (data, True)
    assert opened.envelope == dsse.parse(ENVELOPE)


def test_an_envelope_that_only_mentions_a_bundle() -> None:
    data = json.dumps(json.loads(ENVELOPE) | {"note": BUNDLE["mediaType"]}).encode()
    assert open_signed(data).bundle is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dsseEnvelope": None}, "not a DSSE envelope"),
        ({"dsseEnvelope": {}}, "not a DSSE envelope"),
        ({"dsseEnvelope": ..., "messageSignature": {"signature": "AA=="}}, "signs a file's digest"),
        ({"dsseEnvelope": ...}, "signs nothing"),
        ({"mediaType": 7, "note": BUNDLE["mediaType"]}, "not a Sigstore bundle"),
    ],
)
def test_a_bundle_that_is_none(changes: dict[str, Any], said: str) -> None:
    members = {name: value for name, value in (BUNDLE | changes).items() if value is not ...}
    with pytest.raises(MalformedError, match=said):
        open_signed(json.dumps(members).encode())


def test_members_are_never_doubled() -> None:
    text = json.dumps(BUNDLE)[:-1] + ', "dsseEnvelope": {}}'
    with pytest.raises(MalformedError):
        open_signed(text.encode())


@pytest.mark.parametrize(
    "more",
    [
        {"cert": "x"},
        {"certificate": "x"},
        {"mediaType": BUNDLE["mediaType"]},
        {"a": {"payload": "e30="}, "cert": ""},
        {"note": "a cert"},
    ],
)
@pytest.mark.parametrize("payload", ["e30=", "cert", "e30", "-_-_"])
@pytest.mark.parametrize("first", [True, False])
def test_words_beside_the_payload(more: dict[str, Any], payload: str, first: bool) -> None:
    """What the payload is spelled like says nothing of them; wherever they stand they are found."""
    envelope = json.loads(ENVELOPE) | {"payload": payload}
    data = json.dumps(more | envelope if first else envelope | more).encode()
    if "mediaType" in more:
        with pytest.raises(MalformedError, match="signs nothing"):
            open_signed(data)
        return
    opened = open_signed(data)
    assert opened.certificates is (not more.keys().isdisjoint({"cert", "certificate"}))
    assert opened.envelope == dsse.parse(data)
    own = opened.placed != dsse.NOWHERE
    assert own is ("a" not in more or not first)
    if own:
        assert data[opened.placed.start : opened.placed.end] == payload.encode()
