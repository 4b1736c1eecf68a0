from __future__ import annotations

import json
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import strictjson

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not valid JSON"),
        (b"  ", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1', "not valid JSON"),
        (b'{"a":1}}', "not valid JSON"),
        (b'{"a":1} {"b":2}', "not valid JSON"),
        (b'{"a":1}\x00', "not valid JSON"),
        (b'{"a":1}//', "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":1,}', "not valid JSON"),
        (b"[1,]", "not valid JSON"),
        (b"[01]", "not valid JSON"),
        (b"[+1]", "not valid JSON"),
        (b"[.5]", "not valid JSON"),
        (b"[1.]", "not valid JSON"),
        (b"[0x10]", "not valid JSON"),
        (b"[True]", "not valid JSON"),
        (b'"\x01"', "not valid JSON"),
        (b'"a\nb"', "not valid JSON"),
        (b'"\\x41"', "not valid JSON"),
        (b'"\\u12"', "not valid JSON"),
        (b"[1}", "not valid JSON"),
        (b"]", "not valid JSON"),
        (b"[" * 64, "not valid JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),  # a surrogate written as if it were a character
        (b'"\xc0\xaf"', "not UTF-8"),  # an overlong slash
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "not valid JSON"),
        (b"NaN", "NaN"),
        (b'{"a":NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b'{"a":1,"a":1}', '"a" twice'),
        (b'{"a":1,"\\u0061":2}', '"a" twice'),
        (b'[{"x":{"y":[{"b":1,"c":2,"b":3}]}}]', '"b" twice'),
        (b'{"":1,"":2}', '"" twice'),
        (b'{"a\\u0000":1,"a\\u0000":2}', "twice"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\udc00\\ud800"', "surrogate"),
        (b'{"\\uD800":1}', "surrogate"),
        (b'["\\ud83d\\ude00","\\ud83d"]', "surrogate"),
        (b'"\\\\\\ud800"', "surrogate"),  # an escaped backslash, then half a pair
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        strictjson.check(data, what="document")
    assert caught.value.message.startswith("The document ")


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b" \t\r\n[1 , 2]\n",
        b"null",
        b'"text"',
        b"-0",
        b"[-0.0, 1e5, 1E+5, 0.1e-7]",
        b"1e999",
        b"9" * 100_000,  # more digits than Python converts
        b"-" + b"9" * 5_000,
        b'[{"a":1},{"a":1}]',
        b'{"a":{"a":{"a":1}}}',
        b'{"a":1,"A":2}',
        b'"\\ud83d\\ude00"',
        b'"\\\\ud800"',  # a backslash and letters, no escape
        '"\u2028 \U0001f600 \x7f"'.encode(),
        b'"\\u0000"',
        b'"[[[[ \\"{{{{ \\\\"',
    ],
)
def test_accepted(data: bytes) -> None:
    strictjson.check(data, what="document")


def deep(levels: int, shape: str) -> bytes:
    opening, closing = {"array": ("[", "]"), "object": ('{"[":', "}"), "mixed": ('[{"a\\"]":', "}]")}[shape]
    count = levels // 2 if shape == "mixed" else levels
    inner = '"]}\\\\"'
    return (opening * count + inner + closing * count).encode()


@pytest.mark.parametrize("beside", [b"", b" " * 20_000], ids=["small", "large"])
@pytest.mark.parametrize("shape", ["array", "object", "mixed"])
def test_nesting_limit(shape: str, beside: bytes) -> None:
    strictjson.check(deep(64, shape) + beside, what="document")
    with pytest.raises(TooLargeError) as caught:
        strictjson.check(beside + deep(66 if shape == "mixed" else 65, shape), what="document")
    assert caught.value.limit == 64
    assert "64" in caught.value.message


@pytest.mark.parametrize("shape", ["array", "object", "mixed"])
def test_nesting_bombs(shape: str) -> None:
    with pytest.raises(TooLargeError):
        strictjson.check(deep(200_000, shape), what="document")


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 65, b"[" * 65 + b"}" * 65])
def test_nesting_without_an_end(data: bytes) -> None:
    """The limit is told, and no decoder's recursion is."""
    with pytest.raises(TooLargeError):
        strictjson.check(data, what="document")


def test_closing_brackets_first_do_not_buy_depth() -> None:
    with pytest.raises(MalformedError):
        strictjson.check(b"]" * 5_000 + b"[" * 5_000, what="document")


def test_width_is_not_depth() -> None:
    strictjson.check(b"[" + b",".join([b'{"a":[1]}'] * 2_000) + b"]", what="document")
    strictjson.check(json.dumps("[" * 5_000 + '\\"{').encode(), what="document")


def test_brackets_in_strings_do_not_hide_depth() -> None:
    hidden = b'["]",' * 65 + b"1" + b"]" * 65
    with pytest.raises(TooLargeError):
        strictjson.check(hidden, what="document")


def test_an_escaped_backslash_ends_no_escape() -> None:
    """A string that ends in one must not swallow the quote, and with it the brackets up to the next."""
    hidden = b'["\\\\",' + b"[" * 65 + b'"\\\\"' + b"]" * 65 + b"]"
    assert json.loads(hidden)
    with pytest.raises(TooLargeError):
        strictjson.check(hidden, what="document")


@given(
    st.lists(st.sampled_from([b"{", b"[", b"}", b'"', b"x"]), max_size=20).map(b"".join), st.integers(0, 9)
)
def test_brackets_are_counted_or_found(data: bytes, most: int) -> None:
    more = strictjson.opens_more(data, most)
    assert more == (data.count(b"{") + data.count(b"[") > most)
    assert strictjson.opens_more(b"x" * strictjson._LARGE_BYTES + data, most) == more


def test_another_limit() -> None:
    strictjson.check(b"[[]]", what="document", max_nesting=2)
    with pytest.raises(TooLargeError):
        strictjson.check(b"[[[]]]", what="document", max_nesting=2)


@given(JSON_VALUES, st.sampled_from([None, 2]), st.booleans())
def test_whatever_json_writes_is_accepted(value: object, indent: int | None, ascii_only: bool) -> None:
    strictjson.check(
        json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "strict"), what="document"
    )


def plain(data: bytes) -> bool:
    """The rules spelled out without any thought of speed."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({k for k, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    def refuse(_: str) -> None:
        raise ValueError

    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    try:
        value = json.loads(
            data.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_int=str, parse_float=str
        )
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return depth(value) <= 4


FRAGMENTS = [
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ":",
    ",",
    "1",
    "-0",
    "NaN",
    '"a"',
    '"a":',
    "\\ud800",
    "\\u00",
    " ",
    "é",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14) | st.just(["[", '"', "\\", "\\", '"', "]"]))
def test_agrees_with_the_plain_rules(fragments: list[str]) -> None:
    data = "".join(fragments).encode()
    try:
        strictjson.check(data, what="document", max_nesting=4)
        accepted = True
    except (MalformedError, TooLargeError):
        accepted = False
    assert accepted == plain(data)


@given(JSON_VALUES, st.integers(0, 60), st.sampled_from(FRAGMENTS))
def test_agrees_on_damaged_documents(value: object, at: int, fragment: str) -> None:
    text = json.dumps(value)
    data = (text[:at] + fragment + text[at:]).encode()
    try:
        strictjson.check(data, what="document", max_nesting=4)
        accepted = True
    except (MalformedError, TooLargeError):
        accepted = False
    assert accepted == plain(data)


def test_usual_documents_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails nothing is unsafe, but intake has become slower."""
    monkeypatch.setattr(strictjson, "_check_text", lambda *_: pytest.fail("the long way was taken"))
    value = {"a": [1, 2.5, "x", None, {"b": True, "c": {}}, []]}
    strictjson.check(msgspec.json.encode(value), what="document")
    strictjson.check(json.dumps(value).encode(), what="document")


def test_the_digit_limit_is_really_there() -> None:
    """Else the tests of long numbers would show nothing."""
    assert 0 < sys.get_int_max_str_digits() < 100_000
