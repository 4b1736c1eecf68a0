from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import dsse

from .builders import envelope, key, statement

GOOD = {"keyid": "k", "sig": "AAAA"}


@pytest.mark.parametrize(
    ("data", "says", "where"),
    [
        (b"", "not valid JSON", ""),
        (b"[]", "not a DSSE envelope", ""),
        (b"{}", "payload", ""),
        (envelope()[:-1], "not valid JSON", ""),
        (envelope() + b"x", "not valid JSON", ""),
        (envelope(payload_=1).replace(b"payload_", b"payload"), "twice", ""),
        (envelope(GOOD, payload=b"{}", payloadType=None), "payloadType", ""),
        (envelope(payloadType=7), "DSSE envelope", "$.payloadType"),
        (envelope(payloadType=""), "payload type is empty", "$.payloadType"),
        (envelope(payload=b""), "payload is empty", "$.payload"),
        (envelope(signatures=None), "signatures", ""),
        (envelope(signatures=[]), "no signature", "$.signatures"),
        (envelope(signatures={"sig": "AAAA"}), "DSSE envelope", ""),
        (envelope(signatures=["AAAA"]), "DSSE envelope", ""),
        (envelope({"keyid": "k"}), "sig", ""),
        (envelope({"keyid": 1, "sig": "AAAA"}), "Expected `str", "$.signatures[0].keyid"),
        (envelope({"keyid": "k", "sig": None}), "Expected `str", "$.signatures[0].sig"),
        (envelope({"keyid": "k", "sig": ""}), "empty", "$.signatures[0].sig"),
        (envelope(GOOD, {"keyid": "k", "sig": "A"}), "base64", "$.signatures[1].sig"),
    ],
)
def test_refused(data: bytes, says: str, where: str) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        dsse.parse(data)
    assert caught.value.where.startswith(where)


def test_payload_of_another_kind_is_refused() -> None:
    document = json.loads(envelope())
    document["payload"] = {"a": 1}
    with pytest.raises(MalformedError, match="Expected `str`"):
        dsse.parse(json.dumps(document).encode())


def test_signature_limit() -> None:
    assert len(dsse.parse(envelope(*[GOOD] * 32)).signatures) == 32
    with pytest.raises(TooLargeError, match="33 signatures") as caught:
        dsse.parse(envelope(*[GOOD] * 33))
    assert caught.value.limit == 32


def test_nesting_in_ignored_members_counts() -> None:
    data = envelope(extra=json.loads("[" * 70 + "]" * 70))
    with pytest.raises(TooLargeError):
        dsse.parse(data)


@pytest.mark.parametrize("keyid", ["absent", None, "", "kms://a/b?c=ü#d", "\u0000", " ", "x" * 10_000])
def test_key_ids_may_be_anything(keyid: str | None) -> None:
    signature: dict[str, Any] = {"sig": "AAAA"} if keyid == "absent" else {"sig": "AAAA", "keyid": keyid}
    read = dsse.parse(envelope(signature)).signatures[0]
    assert read == dsse.Signature("" if keyid in ("absent", None) else str(keyid), b"\0\0\0")


def test_unknown_members_are_ignored() -> None:
    read = dsse.parse(envelope({**GOOD, "extension": {"kind": "x"}}, unknown=[1]))
    assert read.signatures == (dsse.Signature("k", b"\0\0\0"),)


@pytest.mark.parametrize(
    "text",
    [
        "QQ=",
        "QQ===",
        "Q===",
        "Q",
        "=QQ=",
        "====",
        "QQ==QQ==",
        "QQ==\n",
        "\nQQ==",
        "QQ ==",
        "QUJD\r\nQUJD",
        "QR==",  # bits beyond the byte
        "QR",
        "QUF=",
        "QUE=\u0000",
        "+-AA",
        "_/AA",
        "QQ%3D%3D",
        "\\u0041AAA",
        'QQ"=',
        "\uff31\uff31==",
        "é",
    ],
)
def test_base64_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="base64") as caught:
        dsse.decode_base64(text, where="$.payload")
    assert caught.value.where == "$.payload"


@given(st.binary())
def test_base64_spellings(data: bytes) -> None:
    standard, url = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    for text in (standard, url, standard.rstrip("="), url.rstrip("=")):
        assert dsse.decode_base64(text, where="") == data
    assert dsse.encode_base64(data) == standard


@given(st.text(alphabet="AQgw+/-_= \n\\", max_size=9))
def test_base64_has_one_spelling_for_each_alphabet(text: str) -> None:
    try:
        data = dsse.decode_base64(text, where="")
    except MalformedError:
        return
    standard, url = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    assert text in {standard, url, standard.rstrip("="), url.rstrip("=")}


def _slowly(spelled: bytes) -> bytes | None:
    """Base64 in its one form, by the library, written again to see that it is the one."""
    try:
        data = base64.b64decode(spelled, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data) == spelled else None


@pytest.mark.parametrize("spelled", [b"QUJDQUJD", b"QUJDQUI=", b"QUJDQQ==", b"QUI=", b"QQ==", b""])
def test_base64_with_any_byte_changed(spelled: bytes) -> None:
    assert dsse._standard(b'"%b"' % spelled) == _slowly(spelled) == base64.b64decode(spelled)
    for place in range(len(spelled)):
        for byte in range(256):
            changed = spelled[:place] + bytes([byte]) + spelled[place + 1 :]
            assert dsse._standard(b'"%b"' % changed) == _slowly(changed)
            longer = spelled[:place] + bytes([byte]) + spelled[place:]
            assert dsse._standard(b'"%b"' % longer) == _slowly(longer)


@given(st.lists(st.sampled_from([*b'AQgw+/=-_\\"u0 \n', 0xC3, 0xA9]), max_size=12).map(bytes))
def test_base64_of_odd_bytes(spelled: bytes) -> None:
    assert dsse._standard(b'"%b"' % spelled) == _slowly(spelled)


@given(st.lists(st.sampled_from([*b'AQgw+/=-_\\"u0 \n', 0xC3, 0xA9]), max_size=12).map(bytes))
def test_a_payload_is_read_where_it_stands(spelled: bytes) -> None:
    data = b'{"payload" : "%b","payload":"QQ=="}' % spelled
    text = spelled.partition(b'"')[0]
    try:
        payload = dsse.decode_base64(text.decode("latin-1"), where="")
    except MalformedError:
        payload = b""
    placed = dsse.place(data)
    if not payload:
        assert placed == dsse.NOWHERE
    else:
        assert (data[placed.start : placed.end], placed.payload) == (text, payload)
        assert placed.standard == (payload == _slowly(text))
    assert dsse.place(data[: data.index(b'"', 13)]) == dsse.NOWHERE


def test_pae() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert dsse.pae("ü", b"") == "DSSEv1 2 ü 0 ".encode()


@given(st.text(), st.binary(), st.text(), st.binary())
def test_pae_tells_everything_apart(kind: str, payload: bytes, other: str, another: bytes) -> None:
    assert (dsse.pae(kind, payload) == dsse.pae(other, another)) == ((kind, payload) == (other, another))


def test_pae_is_not_fooled_by_spaces() -> None:
    assert dsse.pae("a 1 b", b"c") != dsse.pae("a", b"b 1 c")


def test_sign_round_trip() -> None:
    signed = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, statement(), key(1))
    assert b" " not in signed.replace(b"\n", b" ")
    read = dsse.parse(signed)
    assert read.payload == statement()
    assert read.signatures[0].keyid == key(1).public.key_id
    assert key(1).public.verify(dsse.pae(read.payload_type, read.payload), read.signatures[0].sig)


@pytest.mark.parametrize(("kind", "payload"), [("", b"x"), ("x", b"")])
def test_sign_refuses_what_could_not_be_read(kind: str, payload: bytes) -> None:
    with pytest.raises(ValueError, match="needs a payload"):
        dsse.sign(kind, payload, key(1))


@given(st.binary(max_size=60))
def test_parse_raises_nothing_else(data: bytes) -> None:
    try:
        dsse.parse(data)
    except (MalformedError, TooLargeError):
        return
    pytest.fail("random bytes are no envelope")


_MEMBERS = st.lists(
    st.sampled_from(
        [
            '"payload":"e30="',
            '"payload" : "e30"',
            '"payload":"e3_-"',
            '"payload":"e31="',
            '"payload":""',
            '"payload":"a+payload+is+left+out+here++"',
            '"payload":"\\u0061+payload+is+left+out+here++"',
            '"payload":1',
            '"payload": AAAA"',
            '"payload":"AAAA ',
            '"payl\\u006fad":"AAAA"',
            '"x":{"payload":"AAAA"}',
            '"x":"a+payload+is+left+out+here++"',
            '"y":"\\"payload\\":\\"AAAA"',
            '"y":"},"',
            '"payloadType":"t"',
            '"signatures":[{"sig":"payload"},{"payload":"AAAA","sig":"QUJD"}]',
            '"signatures":[]',
            "",
        ]
    ),
    max_size=4,
)
_REST = '"payloadType":"t","signatures":[{"sig":"QUJD"}]'


def _told(data: bytes, read: Callable[[bytes], dsse.Envelope]) -> object:
    try:
        return read(data)
    except (MalformedError, TooLargeError) as error:
        return type(error)


@example(['"x":{"payload":"AAAA"}', '"payload":"a+payload+is+left+out+here++"'], "{%s}")
@given(_MEMBERS, st.sampled_from(["{%s}", "{%s}", "{ %s }", "[{%s}]", "{%s", '{%s}"', '"%s"', "\ufeff{%s}"]))
def test_leaving_the_payload_out_changes_nothing(members: list[str], around: str) -> None:
    """Read without its payload, an envelope is what it is when it is read whole."""
    data = (around % ",".join([*members, _REST])).encode()
    assert _told(data, dsse.parse) == _told(data, dsse._whole)


@example(['"payload": AAAA"'])
@example(['"payload":"AAAA '])
@given(_MEMBERS)
def test_wherever_a_payload_is_said_to_stand(members: list[str]) -> None:
    data = f"{{{','.join([*members, _REST])}}}".encode()
    whole = _told(data, dsse._whole)
    for start in range(len(data)):
        end = next((at for at in range(start, len(data)) if data[at : at + 1] in b'" '), start)
        try:
            payload = base64.b64decode(data[start:end], validate=True)
        except ValueError:
            continue
        if base64.b64encode(payload) == data[start:end]:
            placed = dsse.opened_at(start, payload)
            assert _told(data, lambda data: dsse.parse_placed(data, placed)[0]) == whole  # noqa: B023


@given(_MEMBERS)
def test_where_the_payload_stands(members: list[str]) -> None:
    """Only the envelope's own is told, and as what it is."""
    data = f"{{{','.join([*members, _REST])}}}".encode()
    placed = dsse.place(data)
    try:
        read, there = dsse.parse_placed(data, placed)
    except (MalformedError, TooLargeError):
        return
    if there:
        assert placed.payload == read.payload
        spelled = data[placed.start : placed.end]
        assert dsse.decode_base64(spelled.decode(), where="") == read.payload
        assert placed.standard == (spelled == base64.b64encode(read.payload))
        assert data[placed.start - 1 : placed.start] == data[placed.end : placed.end + 1] == b'"'
