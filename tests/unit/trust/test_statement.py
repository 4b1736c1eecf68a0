from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import statement as module
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.statement import ResourceDescriptor, Statement

from .builders import DIGEST, PREDICATE_TYPE, statement


def parse(payload: bytes, payload_type: str = INTOTO_PAYLOAD_TYPE) -> Statement:
    return module.parse(payload_type, payload)


def subject(**members: Any) -> bytes:
    return statement(subject=[{"name": "a", "digest": {"sha256": DIGEST}}, members])


@pytest.mark.parametrize(
    ("payload", "says", "where"),
    [
        (b"", "not valid JSON", "line 1, column 1"),
        (b"[]", "not an in-toto statement", ""),
        (b'"x"', "not an in-toto statement", ""),
        (b"{}{}", "not valid JSON", "line 1, column 3"),
        (statement(_type=None), "_type", ""),
        (statement(_type=1), "statement: Expected `str`", "$._type"),
        (statement(_type="https://in-toto.io/Statement/v2"), "not known", "$._type"),
        (statement(_type="https://in-toto.io/statement/v1"), "not known", "$._type"),
        (statement(_type="layout"), "not known", "$._type"),
        (statement(_type="Link"), "not known", "$._type"),
        (statement(predicateType=None), "no predicate type", "$.predicateType"),
        (statement(predicateType=""), "no predicate type", "$.predicateType"),
        (statement(predicateType=["x"]), "Expected `str", "$.predicateType"),
        (statement(predicateType="link"), "can't be 'link'", "$.predicateType"),
        (statement(predicateType=module.WITNESS_POLICY), "can't be", "$.predicateType"),
        (statement(subject=None), "no subject", "$.subject"),
        (statement(subject=[]), "no subject", "$.subject"),
        (statement(subject={"name": "x"}), "Expected `array", "$.subject"),
        (statement(subject=["x"]), "Expected `object", "$.subject[0]"),
        (subject(name="b"), "digest set is empty", "$.subject[1].digest"),
        (subject(name="b", digest={}), "digest set is empty", "$.subject[1].digest"),
        (subject(name="b", digest=None), "digest set is empty", "$.subject[1].digest"),
        (subject(name="b", digest={"sha256": 5}), "Expected `str`", "$.subject[1].digest[...]"),
        (subject(name="b", digest={"sha256": "ab"}), "has 64 hex digits", "$.subject[1].digest.sha256"),
        (subject(name="b", digest={"sha256": "x" * 64}), "not hexadecimal", "$.subject[1].digest.sha256"),
        (subject(name=5, digest={"sha256": DIGEST}), "Expected `str", "$.subject[1].name"),
        (
            subject(name="b", digest={"sha256": DIGEST}, annotations=[]),
            "Expected `object",
            "$.subject[1].annotations",
        ),
        (statement(predicate=[1]), "predicate is not an object", "$.predicate"),
        (statement(predicate="{}"), "predicate is not an object", "$.predicate"),
        (statement(predicate=0), "predicate is not an object", "$.predicate"),
        (statement(predicate={"a": float("nan")}), "NaN", ""),
        (statement(predicate={"a": "\ud800"}), "surrogate", ""),
        (statement().replace(b'{"a": 1}', b'{"a": 1, "a": 2}'), "twice", ""),
        (statement().replace(b'"predicate":', b'"predicateType": "x", "predicate":'), "twice", ""),
    ],
)
def test_refused(payload: bytes, says: str, where: str) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        parse(payload)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "payload_type",
    [
        "",
        "application/json",
        "application/vnd.in-toto",
        "application/vnd.in-toto+json;charset=utf-8",
        "application/vnd.in-toto+json ",
        "application/vnd.in-toto+json\n",
        "Application/vnd.in-toto+json",
        "application/vnd.in-toto.+json",
        "application/vnd.in-toto.a b+json",
        "application/vnd.in-toto.a+json+json",
        "application/vndxin-toto+json",
        "text/application/vnd.in-toto+json",
        "application/vnd.keylime+json",
        "application/vnd.in-toto.bundle",
        "https://witness.testifysec.com/policy/v0.2",
    ],
)
def test_other_payload_types(payload_type: str) -> None:
    assert not module.is_attestation(payload_type)
    with pytest.raises(MalformedError, match="payload type") as caught:
        parse(statement(), payload_type)
    assert caught.value.where == "$.payloadType"
    assert INTOTO_PAYLOAD_TYPE in caught.value.hint


@pytest.mark.parametrize("infix", ["", ".provenance", ".vsa", ".test-result", ".a.b_c"])
@pytest.mark.parametrize("version", [module.STATEMENT_V1, module.STATEMENT_V01])
def test_statement(infix: str, version: str) -> None:
    payload = statement(_type=version)
    read = parse(payload, f"application/vnd.in-toto{infix}+json")
    assert read == Statement(
        version,
        PREDICATE_TYPE,
        (ResourceDescriptor(name="model.bin", digests={"sha256": DIGEST}),),
        b'{"a": 1}',
        payload,
        hashlib.sha256(payload).hexdigest(),
    )


@pytest.mark.parametrize(
    "payload", [statement(predicate=None), statement(predicate=None)[:-1] + b',"predicate":null}']
)
def test_the_predicate_may_be_absent(payload: bytes) -> None:
    assert parse(payload).predicate == b""


def test_the_predicate_is_raw() -> None:
    raw = b'{"b":2, "a" : [1e3, 123456789012345678901234567890 , -0], "c":"\\u00e9"}'
    payload = statement().replace(b'{"a": 1}', b"  " + raw + b" ")
    assert parse(payload).predicate == raw


def test_long_numbers() -> None:
    """In a predicate they are nobody's business here; in an annotation they can't be read."""
    digits = b"9" * 5_000
    assert digits in parse(statement().replace(b'{"a": 1}', b'{"a": ' + digits + b"}")).predicate
    annotated = subject(digest={"sha256": DIGEST}, annotations={"n": 7}).replace(b'"n": 7', b'"n": ' + digits)
    with pytest.raises(MalformedError):
        parse(annotated)


def test_descriptor_members() -> None:
    read = parse(
        subject(
            uri="pkg:x/y",
            digest={"sha256": DIGEST.upper(), "gitoid:sha1": "gitoid:blob:sha1:AB"},
            mediaType="text/plain",
            downloadLocation="file:///a",
            annotations={"k": {"n": 1.5}},
            content="QQ==",
            unknown=1,
        )
    )
    assert read.subjects[1] == ResourceDescriptor(
        "",
        "pkg:x/y",
        {"sha256": DIGEST, "gitoid:sha1": "gitoid:blob:sha1:AB"},
        "text/plain",
        "file:///a",
        {"k": {"n": 1.5}},
        "QQ==",
    )


def test_null_members_count_as_absent() -> None:
    read = parse(subject(name=None, uri=None, annotations=None, content=None, digest={"sha256": DIGEST}))
    assert read.subjects[1] == ResourceDescriptor(digests={"sha256": DIGEST})


@pytest.mark.parametrize("name", ["a\u0000b", "../../etc", "", " ", "\u202e", "x" * 100_000])
def test_names_are_kept_as_signed(name: str) -> None:
    assert parse(subject(name=name, digest={"sha256": DIGEST})).subjects[1].name == name


def test_unknown_members_are_ignored() -> None:
    assert parse(statement(extra={"deep": [1]}, products=None)).predicate_type == PREDICATE_TYPE


def test_subject_limit() -> None:
    one = {"name": "x", "digest": {"sha256": DIGEST}}
    assert len(parse(statement(subject=[one] * 20_000)).subjects) == 20_000
    with pytest.raises(TooLargeError, match="20001") as caught:
        parse(statement(subject=[one] * 20_001))
    assert caught.value.limit == 20_000


def test_nesting_limit() -> None:
    value: Any = 1
    for _ in range(63):
        value = {"a": value}
    assert parse(statement(predicate=value)).predicate.count(b"{") == 63
    with pytest.raises(TooLargeError):
        parse(statement(predicate={"a": value}))


def link(**changes: Any) -> bytes:
    document = {
        "_type": "link",
        "name": "build",
        "materials": {},
        "products": {"b.txt": {"sha256": DIGEST}, "a.txt": {"sha256": DIGEST}},
        "byproducts": {},
        "command": [],
        "environment": {},
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def test_link() -> None:
    read = parse(link())
    assert (read.type, read.predicate_type) == ("link", "link")
    assert read.subjects == tuple(
        ResourceDescriptor(name=name, digests={"sha256": DIGEST}) for name in ("a.txt", "b.txt")
    )
    assert read.predicate == read.payload == link()


@pytest.mark.parametrize("products", [{}, None])
def test_a_link_without_products_is_about_nothing(products: Any) -> None:
    assert parse(link(products=products)).subjects == ()


@pytest.mark.parametrize(
    ("products", "says"),
    [
        ([], "Expected `object"),
        ({"a": "x"}, "Expected `object"),
        ({"a": {}}, "no digest"),
        ({"a": {"sha256": "ab"}}, "has 64"),
    ],
)
def test_link_refused(products: Any, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        parse(link(products=products))


def test_link_limit() -> None:
    with pytest.raises(TooLargeError):
        parse(link(products={str(i): {"sha256": DIGEST} for i in range(20_001)}))


def test_a_links_predicate_type_can_not_be_chosen() -> None:
    read = parse(link(predicateType=PREDICATE_TYPE, subject=[{"name": "x", "digest": {"sha256": DIGEST}}]))
    assert read.predicate_type == "link"
    assert [s.name for s in read.subjects] == ["a.txt", "b.txt"]


def test_a_statements_products_are_nothing() -> None:
    read = parse(statement(products={"x": {"sha256": DIGEST}}))
    assert [s.name for s in read.subjects] == ["model.bin"]


def test_witness_policy_is_never_taken_for_a_statement() -> None:
    """The payload type is signed too: what it is decides how the payload is read."""
    read = parse(statement(), module.WITNESS_POLICY)
    assert (read.type, read.predicate_type) == (module.WITNESS_POLICY, module.WITNESS_POLICY)
    assert read.subjects == ()
    assert read.predicate == read.payload == statement()
    with pytest.raises(MalformedError, match="twice"):
        parse(b'{"a":1,"a":2}', module.WITNESS_POLICY)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["_type", "subject", "predicateType", "predicate", "digest", "name", "products"]
                ),
                inner | st.sampled_from(["link", module.STATEMENT_V1, {"sha256": DIGEST}]),
                max_size=5,
            )
        ),
    )
)
def test_parse_raises_nothing_else(value: object) -> None:
    payload = json.dumps(value).encode()
    try:
        read = parse(payload)
    except (MalformedError, TooLargeError):
        return
    assert read.payload == payload
