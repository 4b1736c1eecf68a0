"""Functionaries that a layout knows by certificate: what a constraint lets through, and what it must not."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from lineage.trust import dsse
from lineage.trust.layouts import Report, read_evidence, verify_layout
from lineage.trust.layouts_metadata import canonical
from lineage.trust.verify import Outcome
from tests import layouts as given_
from tests.chains import EPOCH, Holder, authority, holder
from tests.layouts import layout, link, metablock, step

BUILD = link("build", {}, {"a": "a"})
URI = "spiffe://example.com/build"
DAY_US = 86_400_000_000
MICROSECOND = datetime.timedelta(microseconds=1)


@pytest.fixture(scope="module")
def root() -> Holder:
    return authority("root")


@pytest.fixture(scope="module")
def builder(root: Holder) -> Holder:
    return holder("builder", root, uri=URI, days=30)


def asked(root: Holder, **constraint: Any) -> dict[str, Any]:
    """A layout whose step takes a certificate; without `constraint` just the builder's."""
    exact = {"common_name": "builder", "uris": [URI], "roots": ["r1"], **constraint}
    return layout(
        [step("build", [], cert_constraints=[exact])],
        [],
        rootcas={"r1": {"keyid": "r1", "keyval": {"public": "", "certificate": root.pem.decode()}}},
        intermediatecas={},
    )


def signed(by: Holder, *more: Holder, content: dict[str, Any] = BUILD) -> bytes:
    sig = by.key.sign(canonical(content), ec.ECDSA(SHA256()))
    pem = b"".join(each.pem for each in (by, *more)).decode()
    signature = {"keyid": "", "sig": sig.hex(), "cert": pem}
    return json.dumps({"signed": content, "signatures": [signature]}).encode()


def start_us(one: Holder) -> int:
    """From when on the certificate is valid."""
    return (one.certificate.not_valid_before_utc - EPOCH) // MICROSECOND


def judge(
    what: dict[str, Any], data: bytes, *, at_us: int | None = None, received_us: int | None = None
) -> Report:
    """`at_us`: absent, five days after certificates that are made here begin."""
    if at_us is None:
        at_us = start_us(authority("clock")) + 5 * DAY_US
    owner = given_.key("owner").public
    evidence = [read_evidence(data, "build.link", received_us=received_us)]
    return verify_layout(metablock(what, "owner"), [owner], evidence, None, at_us)


def test_who_the_constraint_describes_may_do_the_step(root: Holder, builder: Holder) -> None:
    report = judge(asked(root), signed(builder))
    assert report.outcome is Outcome.VERIFIED
    assert report.steps[0].links[0].signers == (URI,)


@pytest.mark.parametrize(
    ("constraint", "outcome"),
    [
        ({"common_name": "*", "uris": ["*"], "roots": ["*"]}, "verified"),
        ({"common_name": "another"}, "refuted"),
        ({"common_name": ""}, "refuted"),
        ({"uris": []}, "refuted"),
        ({"uris": [URI, "spiffe://example.com/other"]}, "refuted"),
        ({"organizations": ["example"]}, "refuted"),
        ({"dns_names": ["build.example.com"]}, "refuted"),
        ({"emails": ["a@example.com"]}, "refuted"),
        ({"roots": []}, "refuted"),
        ({"roots": ["r2"]}, "refuted"),
    ],
    ids=[
        "anything",
        "name",
        "no-name",
        "no-uri",
        "more-uris",
        "organization",
        "dns",
        "mail",
        "roots",
        "root",
    ],
)
def test_each_part_of_a_constraint_counts(
    root: Holder, builder: Holder, constraint: dict[str, Any], outcome: str
) -> None:
    report = judge(asked(root, **constraint), signed(builder))
    assert report.outcome == outcome
    assert outcome == "verified" or report.steps[0].links[0].said.startswith("Not counted: ")


def test_a_certificate_of_another_authority(root: Holder) -> None:
    other = authority("root")
    mallory = holder("builder", other, uri=URI)
    report = judge(asked(root), signed(mallory, other))
    assert report.outcome is Outcome.REFUTED
    assert "leads to no authority" in report.steps[0].links[0].said


def test_a_certificate_with_somebody_else_s_signature(root: Holder, builder: Holder) -> None:
    mallory = holder("builder", authority("other"), uri=URI)
    data = json.loads(signed(mallory))
    data["signatures"][0]["cert"] = builder.pem.decode()
    assert judge(asked(root), json.dumps(data).encode()).outcome is Outcome.REFUTED


def test_an_authority_between(root: Holder) -> None:
    between = authority("between", root)
    below = holder("builder", between, uri=URI)
    inside = judge(asked(root), signed(below, between))
    without = judge(asked(root), signed(below))
    layouted = asked(root)
    layouted["intermediatecas"] = {"i": {"keyval": {"certificate": between.pem.decode()}}}
    assert [r.outcome for r in (inside, without, judge(layouted, signed(below)))] == [
        "verified",
        "refuted",
        "verified",
    ]


@pytest.mark.parametrize(
    ("day", "received", "outcome"),
    [(40, None, "refuted"), (40, 5, "verified"), (5, 40, "refuted"), (-1, None, "refuted")],
    ids=["over", "over-but-logged-before", "logged-after", "not-yet"],
)
def test_a_certificate_counts_when_the_log_had_the_link(
    root: Holder, builder: Holder, day: int, received: int | None, outcome: str
) -> None:
    start = start_us(builder)
    received_us = None if received is None else start + received * DAY_US
    report = judge(asked(root), signed(builder), at_us=start + day * DAY_US, received_us=received_us)
    assert report.outcome == outcome


def test_a_certificate_where_only_keys_are_taken(builder: Holder) -> None:
    report = judge(layout([step("build", ["bob"])], ["bob"]), signed(builder))
    assert report.outcome is Outcome.REFUTED
    assert "takes no certificates" in report.steps[0].links[0].said


@pytest.mark.parametrize("pem", ["no certificate", "x" * 70_000], ids=["words", "long"])
def test_what_is_no_certificate(root: Holder, builder: Holder, pem: str) -> None:
    data = json.loads(signed(builder))
    data["signatures"][0]["cert"] = pem
    assert judge(asked(root), json.dumps(data).encode()).outcome is Outcome.REFUTED


def test_an_authority_of_the_layout_that_is_none(root: Holder, builder: Holder) -> None:
    what = asked(root)
    what["rootcas"]["r1"]["keyval"]["certificate"] = "none"
    assert judge(what, signed(builder)).outcome is Outcome.REFUTED
    del what["rootcas"]["r1"]["keyval"]["certificate"]
    assert judge(what, signed(builder)).outcome is Outcome.REFUTED


def test_a_certificate_beside_a_dsse_signature(root: Holder, builder: Holder) -> None:
    """As Witness writes it."""
    report = judge(asked(root), builder.envelope(BUILD))
    assert report.outcome is Outcome.VERIFIED
    broken = json.loads(builder.envelope(BUILD))
    broken["payload"] = base64.b64encode(json.dumps({**BUILD, "name": "build", "x": 1}).encode()).decode()
    assert judge(asked(root), json.dumps(broken).encode()).outcome is Outcome.REFUTED
    assert dsse.parse(builder.envelope(BUILD)).payload_type == dsse.INTOTO_PAYLOAD_TYPE
